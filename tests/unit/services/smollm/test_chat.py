"""The chat model around its engine."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from services.smollm.smollm.chat import ANSWER, SmolLM
from services.smollm.smollm.engine import Engine
from tests.unit.services.smollm.fakes import Letters, Reciter, read

EMPTY = len("<system\nYou are a helpful AI assistant.>\n<user\n>\n<assistant\n")


def model(engine: Engine, context: int = 500) -> SmolLM:
    return SmolLM(context=context, tokens=Letters(), engine=engine)


def streamed(engine: Engine, **parameters: Any) -> tuple[list[str], AIMessageChunk]:
    chunks: list[Any] = list(model(engine).stream("Hi", **parameters))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return [chunk.text for chunk in chunks if chunk.text], whole


def test_it_answers_until_the_model_ends() -> None:
    message = model(Reciter(b"Hello", b" there")).invoke("Hi")
    assert message.text == "Hello there"
    about = message.response_metadata
    assert (about["model_name"], about["finish_reason"]) == ("smollm2-135m-instruct", "stop")


def test_each_token_is_asked_for_with_all_that_came_before_it() -> None:
    engine = Reciter(b"a", b"b")
    model(engine).invoke("Hi")
    assert engine.numbers[-2:] == [901, 902]
    assert read(engine.numbers[:-2]).endswith("<user\nHi>\n<assistant\n")


def test_a_stream_sums_up_to_the_same() -> None:
    pieces, whole = streamed(Reciter(b"Hello", b" there"))
    message = model(Reciter(b"Hello", b" there")).invoke("Hi")
    assert pieces == ["Hello", " there"]
    assert (whole.text, whole.usage_metadata) == (message.text, message.usage_metadata)
    assert whole.response_metadata["finish_reason"] == "stop"


def test_nothing_is_computed_before_it_is_read() -> None:
    engine = Reciter(b"a", b"b", b"c")
    answer = model(engine).stream("Hi")
    assert [next(answer).text, engine.asked] == ["a", 1]
    assert [next(answer).text, engine.asked] == ["b", 2]


def test_usage_counts_the_whole_prompt_and_every_token_made() -> None:
    usage = model(Reciter(b"Hello", b" there")).invoke("Hi").usage_metadata
    assert usage == {"input_tokens": EMPTY + 2, "output_tokens": 3, "total_tokens": EMPTY + 5}


def test_the_count_of_a_prompt_is_what_it_uses() -> None:
    messages = [HumanMessage("Hi"), HumanMessage("there")]
    usage = model(Reciter()).invoke(messages).usage_metadata
    assert usage is not None
    assert model(Reciter()).get_num_tokens_from_messages(messages) == usage["input_tokens"]
    assert model(Reciter()).get_token_ids("Hi") == [72, 105]


def test_tools_have_no_count() -> None:
    with pytest.raises(ValueError, match="cannot call tools"):
        model(Reciter()).get_num_tokens_from_messages([HumanMessage("Hi")], tools=[{"name": "x"}])


def test_a_character_in_several_tokens_comes_when_it_is_whole() -> None:
    sign = "€".encode()
    assert streamed(Reciter(b"1", sign[:1], sign[1:2], sign[2:] + b"!"))[0] == ["1", "€!"]


def test_half_a_character_at_the_end_does_no_harm() -> None:
    assert model(Reciter(b"1", "€".encode()[:2])).invoke("Hi").text == "1\ufffd"


def test_it_ends_at_a_stop_word_and_computes_no_further() -> None:
    engine = Reciter(b"one ", b"EN", b"D", b" two")
    message = model(engine).invoke("Hi", stop=["END"])
    assert (message.text, message.response_metadata["finish_reason"], engine.asked) == ("one ", "stop", 3)


def test_what_only_looked_like_a_stop_word_is_shown() -> None:
    assert streamed(Reciter(b"one ", b"EN"), stop=["END"])[0] == ["one ", "EN"]


@pytest.mark.parametrize(("most", "text", "reason"), [(1, "a", "length"), (2, "ab", "length"), (3, "ab", "stop")])
def test_an_answer_is_no_longer_than_the_caller_wants(most: int, text: str, reason: str) -> None:
    message = model(Reciter(b"a", b"b")).invoke("Hi", max_tokens=most)
    assert (message.text, message.response_metadata["finish_reason"]) == (text, reason)


def test_where_the_caller_says_nothing_an_answer_is_bounded_too() -> None:
    message = model(Reciter(*[b"a"] * 1000)).invoke("Hi")
    assert (len(message.text), message.response_metadata["finish_reason"]) == (ANSWER, "length")


def test_prompt_and_answer_fit_into_the_context_together() -> None:
    message = model(Reciter(*[b"a"] * 100), context=EMPTY + 2 + 7).invoke("Hi", max_tokens=50)
    assert (len(message.text), message.response_metadata["finish_reason"]) == (7, "length")


def test_a_prompt_may_leave_room_for_one_token() -> None:
    assert model(Reciter(b"a", b"b"), context=EMPTY + 3).invoke("Hi").text == "a"


def test_a_prompt_that_leaves_none_is_refused() -> None:
    with pytest.raises(ValueError, match=f"the prompt has {EMPTY + 2} tokens; at most {EMPTY + 1} fit"):
        model(Reciter(b"a"), context=EMPTY + 2).invoke("Hi")


def test_what_the_caller_sets_reaches_the_engine() -> None:
    engine = Reciter()
    model(engine).invoke("Hi", temperature=1.5, seed=3)
    assert engine.sampling is not None
    assert (engine.sampling.temperature, engine.sampling.seed) == (1.5, 3)


def test_it_calls_no_tools() -> None:
    with pytest.raises(NotImplementedError):
        model(Reciter()).bind_tools([])


async def test_it_answers_async_callers_too() -> None:
    assert (await model(Reciter(b"Hello")).ainvoke("Hi")).text == "Hello"
    assert [chunk.text async for chunk in model(Reciter(b"Hello")).astream("Hi") if chunk.text] == ["Hello"]
