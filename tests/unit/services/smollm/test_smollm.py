"""The model itself, with its real weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.environments import run_in
from tests.unit.services.optional import needs

pytestmark = needs("smollm")

TEXTS = (
    "Hello, world!",
    "It's 1234567 o'clock; they'll pay 3.14 € (or so) — won't they?",
    "def f(x):\n\treturn {x: [1, 2]}  # two   spaces\n\n\n",
    "Grüße aus Zürich, 東京, Москва und مرحبا. 😀👩‍👩‍👧",
    "   leading and trailing   ",
    "a\r\nb\u00a0c\u200bd",
)


@pytest.fixture(scope="module")
def report() -> Any:
    return run_in("smollm", Path(__file__).with_name("asking.py"), json.dumps(TEXTS))


def test_it_is_an_ordinary_chat_model_that_knows_nothing_of_firebreak() -> None:
    loading = Path(__file__).parents[1] / "loading.py"
    assert run_in("smollm", loading, "smollm.model:smollm") == {"callable": True, "firebreak": []}


def test_it_answers(report: Any) -> None:
    assert "Paris" in report["greedy"]["text"]
    assert report["greedy"]["reason"] == "stop"
    usage = report["greedy"]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_the_likeliest_answer_is_always_the_same(report: Any) -> None:
    assert report["again"] == report["greedy"]


def test_a_stream_comes_token_by_token_and_sums_up_to_the_same(report: Any) -> None:
    assert report["stream"]["pieces"] >= report["greedy"]["usage"]["output_tokens"] - 1 > 3
    assert {key: report["stream"][key] for key in report["greedy"]} == report["greedy"]


def test_a_seed_makes_an_answer_repeatable(report: Any) -> None:
    first, again, other = (made["text"] for made in report["seeded"])
    assert first == again != other


def test_it_stops_at_a_stop_word_and_at_a_length(report: Any) -> None:
    assert "Paris" not in report["stopped"]["text"]
    assert report["stopped"]["reason"] == "stop"
    assert (report["short"]["usage"]["output_tokens"], report["short"]["reason"]) == (3, "length")


@pytest.mark.parametrize("text", TEXTS)
def test_its_tokens_are_the_engines(report: Any, text: str) -> None:
    theirs, ours, spelled = report["tokens"][TEXTS.index(text)]
    assert (ours, spelled) == (theirs, text)


def test_a_message_cannot_end_itself(report: Any) -> None:
    assert not report["injected"]


def test_text_that_is_no_text_is_counted_too(report: Any) -> None:
    assert report["surrogate"] == 3


def test_the_context_is_bounded(report: Any) -> None:
    usage = report["full"]["usage"]
    assert (usage["total_tokens"], usage["output_tokens"]) == (2048, 1)


def test_nobody_can_reach_the_engine(report: Any) -> None:
    """llama.cpp insists on listening; a socket that others could find would be a way around the gateway."""
    assert report["sockets"] == []


def test_the_process_can_be_forked_until_the_first_question(report: Any) -> None:
    assert report["threads"] == 1


def test_it_describes_itself(report: Any) -> None:
    assert (report["profile"]["tool_calling"], report["profile"]["max_input_tokens"]) == (False, 2047)
