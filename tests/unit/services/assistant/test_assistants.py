"""Both assistants do the same job, each on its own LangChain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.environments import run_in

SCRIPT = Path(__file__).with_name("scripted.py")


@pytest.fixture(scope="module", params=["assistant", "assistant-classic"])
def report(request: pytest.FixtureRequest) -> Any:
    return run_in(request.param, SCRIPT, request.param.replace("-", "_"))


def test_the_tools_that_the_model_asks_for_are_called_and_shown_to_it(report: Any) -> None:
    run = report["tools"]
    assert run["answer"] == "Here you are."
    assert run["asked"] == [["calculator", "1234 * 5678"], ["handbook", "refunds"]]
    assert run["seen"][1][-2:] == [["tool", "7006652"], ["tool", "Thirty days."]]
    assert run["offered"] == [["calculator", "handbook"]] * 2


def test_the_model_sees_instructions_history_and_question_as_they_are(report: Any) -> None:
    (seen,) = report["plain"]["seen"]
    assert seen[0][0] == "system"
    assert "never make up" in seen[0][1]
    assert seen[1:] == [["human", "Hi"], ["ai", "Hello"], ["human", "Say {hello}"]]
    assert report["plain"]["answer"] == "Hello."


def test_it_works_without_any_tool(report: Any) -> None:
    assert report["no tools"]["answer"] == "Hello."
    assert report["no tools"]["offered"] == [[]]


def test_a_tool_that_fails_is_told_to_the_model_and_ends_nothing(report: Any) -> None:
    run = report["failing tool"]
    assert run["seen"][1][-1] == ["tool", "Division by zero."]
    assert run["answer"] == "It cannot be divided."


def test_an_unknown_tool_is_told_to_the_model_and_not_called(report: Any) -> None:
    run = report["unknown tool"]
    assert "rm is not a valid tool" in run["seen"][1][-1][1]
    assert (run["asked"], run["answer"]) == ([], "There is no such tool.")


def test_a_model_that_never_stops_calling_tools_is_stopped(report: Any) -> None:
    assert report["endless"]["turns"] == report["limit"]
    assert report["endless"]["answer"]


def test_sync_and_async_answer_the_same(report: Any) -> None:
    assert all(run["same"] for name, run in report.items() if name != "limit")
