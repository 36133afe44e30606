"""The router itself, with its real embeddings and the tools that are shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool

from services.calculator.calculator.tool import calculator
from services.python.python_tool.tool import python
from tests.unit.services.environments import run_in
from tests.unit.services.router.questions import HELD_OUT, TUNED

INTRODUCTION = "I am a router, not a language model"
CALLS = [["calculator", {"expression": "1234 * 5678"}], ["handbook", {"query": "refunds"}]]


@pytest.fixture(scope="module")
def report() -> Any:
    handbook = run_in("handbook", Path(__file__).with_name("offering.py"))
    tools = [convert_to_openai_tool(calculator), handbook, convert_to_openai_tool(python)]
    questions = [question for question, _ in TUNED + HELD_OUT]
    return run_in("router", Path(__file__).with_name("asking.py"), json.dumps(tools), json.dumps(questions))


def right(chosen: list[Any], questions: tuple[tuple[str, str], ...]) -> int:
    """How many questions got exactly the tools that they need, in order, with nothing left open that a tool is for."""
    return sum(
        " ".join(made["calls"]) == wanted and bool(wanted) != bool(made["unmet"])
        for made, (_, wanted) in zip(chosen, questions, strict=True)
    )


def test_it_chooses_the_right_tools(report: Any) -> None:
    tuned, held_out = right(report["chosen"][: len(TUNED)], TUNED), right(report["chosen"][len(TUNED) :], HELD_OUT)
    # Measured: 37 of 37, and 40 of 44 that it was never tuned on. One less is left for processors that round differently.
    assert (tuned >= 36, held_out >= 39) == (True, True), (tuned, held_out)


def test_several_clauses_are_several_calls_in_one_turn(report: Any) -> None:
    assert (report["ask"]["calls"], report["ask"]["content"]) == (CALLS, "")
    assert len(set(report["ask"]["ids"])) == 2


def test_it_is_deterministic(report: Any) -> None:
    assert report["again"] == report["ask"]
    assert report["async"]["calls"] == CALLS


def test_it_quotes_what_the_tools_answered(report: Any) -> None:
    assert (
        report["done"]["content"] == "1234 * 5678 = 7006652\n\nhandbook on “refunds” says:\n> [Refunds]\n> Thirty days."
    )
    assert report["done"]["calls"] == []


def test_it_says_that_a_call_was_refused_or_not_answered(report: Any) -> None:
    assert report["denied"]["content"].endswith(
        "handbook could not answer on “refunds”: policy does not allow this call"
    )
    assert report["unanswered"]["content"].startswith(
        "calculator could not answer on “1234 * 5678”: there was no answer."
    )


def test_only_the_last_question_counts(report: Any) -> None:
    assert report["next turn"]["calls"] == [["calculator", {"expression": "1 + 1"}]]


def test_streaming_comes_word_by_word_and_sums_up_to_the_same(report: Any) -> None:
    assert report["stream done"]["chunks"] > 8
    assert report["stream done"]["whole"] == report["done"]
    assert report["stream ask"]["whole"]["calls"] == CALLS


def test_usage_and_model_are_told(report: Any) -> None:
    usage = report["done"]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 20
    assert report["ask"]["metadata"] == {"model_name": "router-1", "finish_reason": "tool_calls"}
    assert report["done"]["metadata"]["finish_reason"] == "stop"


def test_it_stops_at_a_stop_word(report: Any) -> None:
    assert report["stopped"]["content"] == "1234 * 5678 = "


@pytest.mark.parametrize("case", ["blocks", "base tool"])
def test_content_blocks_and_tool_objects_are_understood(report: Any, case: str) -> None:
    assert report[case]["calls"] == [["calculator", {"expression": "6 * 7"}]]


def test_it_says_plainly_what_it_is_when_nothing_fits(report: Any) -> None:
    for case in ("bare", "hello", "empty", "none"):
        assert report[case]["content"].startswith(INTRODUCTION), case
        assert report[case]["calls"] == [], case
    assert "- calculator: Work out an arithmetic expression" in report["hello"]["content"]


def test_a_tool_choice_is_obeyed(report: Any) -> None:
    assert report["forced"]["calls"] == [["handbook", {"query": "What is 6 * 7"}]]
    assert report["dict choice"]["calls"] == [["calculator", {"expression": "6 * 7"}]]
    assert report["any"]["calls"] == [["handbook", {"query": "Hello"}]]
    assert report["forced done"]["calls"] == []


def test_a_choice_that_cannot_be_obeyed_is_an_error(report: Any) -> None:
    assert report["unknown"] == "tool_choice names an unknown tool; bound are: calculator, handbook, python"
    assert report["unknown at call"] == report["unknown"]
    assert "its required arguments are not in the question" in report["unfillable"]


def test_it_describes_itself(report: Any) -> None:
    assert report["name"] == ["router-1", "router"]
    assert report["profile"]["tool_calling"] is True
    assert "no language model" in report["profile"]["name"]


def test_the_process_can_be_forked(report: Any) -> None:
    """A thread that numpy or the embeddings had started would be missing in a fork."""
    assert report["threads"] == 1


def test_the_questions_are_told_apart() -> None:
    assert not {question for question, _ in TUNED} & {question for question, _ in HELD_OUT}
    assert len(HELD_OUT) >= 40
