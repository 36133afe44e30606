"""limits.tokens of a model: prompts are counted in its own tokens, answers bounded; a limit that cannot be kept is no limit."""

from __future__ import annotations

from typing import Any

import pytest
from firebreak.v1 import model_pb2, payload_pb2
from firebreak_runtime.errors import LoadError, ServedError

from tests.unit.runtime import counting_models
from tests.unit.runtime.objects.test_model import generate, offer, prompt, stream

ASK = {"generate": generate, "stream": stream}


@pytest.fixture(autouse=True)
def forget() -> None:
    for model in counting_models.SEEN:
        model.seen.clear()


@pytest.fixture
def bounded(serve: Any) -> Any:
    """Loads a model of counting_models.py with these limits."""

    def make(name: str = "counting", prompt_tokens: int | None = None, answer_tokens: int | None = None) -> Any:
        limits = {"prompt_tokens": prompt_tokens, "answer_tokens": answer_tokens}
        return serve(name, "model", module="counting_models", **limits)

    return make


def refused(served: Any, asked: model_pb2.Prompt, ask: Any = generate) -> ServedError:
    with pytest.raises(ServedError) as error:
        ask(served, asked)
    return error.value


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
@pytest.mark.parametrize("name", ["counting", "counting_later", "given_tokenizer"])
def test_a_prompt_may_be_as_long_as_the_limit_and_no_longer(bounded: Any, name: str, ask: Any) -> None:
    served = bounded(name, prompt_tokens=5)
    assert ask(served, prompt("one two three four"))  # and the role
    error = refused(served, prompt("one two three four five"), ask)
    assert error.reason == "REQUEST_TOO_LARGE"
    assert f'it has 6 tokens, and "{name.replace("_", "-")}" takes at most 5' in error.message
    assert [field for field, _ in error.fields] == ["prompt"]
    assert len(getattr(counting_models, name).seen) == 1


def message(role: payload_pb2.Role, text: str = "", **fields: Any) -> payload_pb2.Message:
    return payload_pb2.Message(role=role, content=[payload_pb2.ContentBlock(text=text)] if text else [], **fields)


JSON_BLOCK = payload_pb2.ContentBlock(json=b'{"type": "image", "data": "a b c d e f g h"}')
TOOL_REQUEST = payload_pb2.ToolRequest(id="1", name="add", args_json=b'{"a": "a b c d e f g h"}')
KWARGS = b'{"additional_kwargs": {"reasoning": "a b c d e f g h"}}'


@pytest.mark.parametrize(
    "said",
    [
        message(payload_pb2.ROLE_SYSTEM, "a b c d e f g h"),
        message(payload_pb2.ROLE_TOOL, "a b c d e f g h", tool_call_id="1"),
        payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[JSON_BLOCK]),
        message(payload_pb2.ROLE_ASSISTANT, tool_requests=[TOOL_REQUEST]),
        message(payload_pb2.ROLE_ASSISTANT, "x", metadata_json=KWARGS),
    ],
)
def test_nothing_that_a_model_may_read_goes_uncounted(bounded: Any, said: payload_pb2.Message) -> None:
    asked = prompt("hello")
    asked.messages.insert(0, said)
    assert refused(bounded(prompt_tokens=8), asked).reason == "REQUEST_TOO_LARGE"
    assert generate(bounded(prompt_tokens=40), asked)


def test_offered_tools_and_the_form_of_the_answer_count(bounded: Any) -> None:
    plain = prompt("hello")
    assert generate(bounded(prompt_tokens=2), plain)
    assert (
        "with the offered tools it has" in refused(bounded(prompt_tokens=8), prompt("hello", tools=[offer()])).message
    )
    assert generate(bounded(prompt_tokens=40), prompt("hello", tools=[offer()]))
    form = prompt("hello", parameters_json=b'{"response_format": {"a": "a b c d e f g h"}}')
    assert refused(bounded(prompt_tokens=8), form).reason == "REQUEST_TOO_LARGE"


def test_a_models_own_way_to_count_messages_is_the_one_that_counts(bounded: Any) -> None:
    assert generate(bounded("counting_messages", prompt_tokens=100), prompt("a b c d e f"))
    assert "it has 100 tokens" in refused(bounded("counting_messages", prompt_tokens=99), prompt("hello")).message
    with_tool = refused(bounded("counting_messages", prompt_tokens=199), prompt("hello", tools=[offer()]))
    assert "it has 200 tokens" in with_tool.message


def test_a_prompt_limit_for_a_model_without_a_tokenizer_of_its_own_is_refused_at_load(bounded: Any) -> None:
    with pytest.raises(LoadError, match=r"limits\.tokens\.prompt is set, but Scripted has no tokenizer of its own"):
        bounded("plain", prompt_tokens=5)


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
@pytest.mark.parametrize(
    ("parameters", "longest"),
    [
        (b"", 20),
        (b'{"max_tokens": 20}', 20),
        (b'{"max_tokens": 19}', 19),
        (b'{"max_tokens": 21}', 20),
        (b'{"max_completion_tokens": 500}', 20),
        (b'{"max_output_tokens": 5}', 5),
        (b'{"max_tokens": 500, "max_completion_tokens": 3}', 3),
    ],
)
def test_an_answer_is_asked_for_within_the_limit(bounded: Any, ask: Any, parameters: bytes, longest: int) -> None:
    ask(bounded(answer_tokens=20), prompt(parameters_json=parameters))
    (seen,) = counting_models.counting.seen
    assert seen["max_tokens"] == longest
    assert not {"max_completion_tokens", "max_output_tokens"} & set(seen)


def test_the_bound_goes_by_the_name_that_the_model_takes(bounded: Any) -> None:
    generate(bounded("counting_messages", answer_tokens=20), prompt(parameters_json=b'{"max_tokens": 500}'))
    (seen,) = counting_models.counting_messages.seen
    assert (seen["max_output_tokens"], "max_tokens" in seen) == (20, False)


def test_a_model_that_is_set_up_shorter_stays_so(bounded: Any) -> None:
    served = bounded("counting_short", answer_tokens=20)
    generate(served, prompt())
    generate(served, prompt(parameters_json=b'{"max_tokens": 12}'))
    assert [seen["max_tokens"] for seen in counting_models.counting_short.seen] == [7, 12]


def test_the_bound_holds_for_answers_that_ask_for_tools_too(bounded: Any) -> None:
    generate(bounded(answer_tokens=20), prompt(tools=[offer()], parameters_json=b'{"temperature": 0.5}'))
    (seen,) = counting_models.counting.seen
    assert (seen["max_tokens"], seen["temperature"], len(seen["tools"])) == (20, 0.5, 1)


@pytest.mark.parametrize("given", [b"0", b"-1", b"null", b"true", b"1.5", b'"9"'])
def test_a_bound_that_is_none_is_refused(bounded: Any, given: bytes) -> None:
    error = refused(bounded(answer_tokens=20), prompt(parameters_json=b'{"max_tokens": ' + given + b"}"))
    assert (error.reason, error.fields[0][0]) == ("ARGUMENTS_INVALID", "prompt.parameters.max_tokens")
    assert counting_models.counting.seen == []


def test_without_a_limit_parameters_pass_as_they_are(bounded: Any) -> None:
    generate(bounded(), prompt(parameters_json=b'{"max_completion_tokens": 5}'))
    (seen,) = counting_models.counting.seen
    assert (seen["max_completion_tokens"], "max_tokens" in seen) == (5, False)


def test_an_answer_limit_for_a_model_that_takes_no_bound_is_refused_at_load(bounded: Any) -> None:
    with pytest.raises(LoadError, match=r"limits\.tokens\.answer is set, but Closed takes no max_tokens"):
        bounded("closed", answer_tokens=5)
    assert bounded("closed")


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_a_model_that_declares_no_bound_gets_it_by_its_usual_name_and_has_to_tell_its_tokens(
    bounded: Any, ask: Any
) -> None:
    assert ask(bounded("plain", answer_tokens=3), prompt())
    assert counting_models.plain.seen[0]["max_tokens"] == 3
    assert refused(bounded("plain", answer_tokens=2), prompt(), ask).reason == "RESPONSE_TOO_LARGE"  # it tells of 3
    assert refused(bounded("silent", answer_tokens=20), prompt(), ask).reason == "CONTRACT_VIOLATED"
    assert ask(bounded("silent_counting", answer_tokens=20), prompt())
    assert ask(bounded("silent"), prompt())


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_an_answer_beyond_the_limit_does_not_pass_as_whole(bounded: Any, ask: Any) -> None:
    error = refused(bounded("heedless", answer_tokens=20), prompt(), ask)
    assert (error.reason, "21 tokens" in error.message) == ("RESPONSE_TOO_LARGE", True)
    assert ask(bounded("heedful", answer_tokens=20), prompt())
    assert ask(bounded("heedless"), prompt())
