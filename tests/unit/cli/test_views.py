"""What the command prints of a run's events and of errors."""

from __future__ import annotations

import json

import pytest
from firebreak.client import CallFailed, FieldViolation, RunEvent
from firebreak.v1 import agent_pb2, payload_pb2

from cli.calls import _JsonView, _TextView
from cli.output import Exit, exit_code, report, reporting


def message(text: str, **fields: object) -> payload_pb2.Message:
    return payload_pb2.Message(content=[payload_pb2.ContentBlock(text=text)], **fields)  # type: ignore[arg-type]


def events(answer: str, *deltas: str) -> list[RunEvent]:
    started = agent_pb2.ToolStarted(tool_call_id="1", name="calculator", args_json=b'{"expression": "6*7"}')
    finished = agent_pb2.ToolFinished(tool_call_id="1", name="calculator", message=message("42"))
    failed = agent_pb2.ToolFinished(tool_call_id="2", name="python", message=message("denied", tool_failed=True))
    return [
        RunEvent(1, "tool_started", started),
        RunEvent(2, "tool_finished", finished),
        RunEvent(3, "tool_finished", failed),
        *(RunEvent(4, "content_delta", agent_pb2.ContentDelta(text=delta)) for delta in deltas),
        RunEvent(5, "run_finished", agent_pb2.RunFinished(message=message(answer))),
    ]


def test_people_see_tool_calls_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    view = _TextView()
    for event in events("It is 42.", "It is ", "42."):
        view.show(event)
    shown = capsys.readouterr()
    assert shown.out == "It is 42.\n"
    assert shown.err.splitlines() == ['→ calculator {"expression": "6*7"}', "✓ calculator 42", "✗ python denied"]


def test_an_agent_that_does_not_stream_still_answers(capsys: pytest.CaptureFixture[str]) -> None:
    view = _TextView()
    for event in events("It is 42."):
        view.show(event)
    assert capsys.readouterr().out == "It is 42.\n"


def test_programs_see_json_with_json_inside_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    view = _JsonView()
    for event in events("It is 42."):
        view.show(event)
    first, second, *_, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first == {
        "seq": 1,
        "event": "tool_started",
        "tool_call_id": "1",
        "name": "calculator",
        "args": {"expression": "6*7"},
    }
    assert second["message"]["content"] == [{"text": "42"}]
    assert last["event"] == "run_finished"


FAILURE = CallFailed(
    "PERMISSION_DENIED",
    "not granted",
    "POLICY_DENIED",
    {"decision_id": "d1", "call_id": "c1"},
    (FieldViolation("args.x", "is 7"),),
    1.5,
)


def test_an_error_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    report(FAILURE, as_json=False)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "PERMISSION_DENIED POLICY_DENIED not granted",
        "  args.x: is 7",
        "  decision_id: d1",
        "  call_id: c1",
        "  try again in 1.5 s",
        "  more: firebreak explain d1",
        "  on record: firebreak journal show c1",
    ]


def test_an_error_as_json_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, reporting(as_json=True):
        raise FAILURE
    assert caught.value.code == Exit.DENIED
    assert json.loads(capsys.readouterr().out)["error"] == {
        "code": "PERMISSION_DENIED",
        "reason": "POLICY_DENIED",
        "message": "not granted",
        "metadata": {"decision_id": "d1", "call_id": "c1"},
        "fields": [{"field": "args.x", "description": "is 7"}],
        "retry_after": 1.5,
    }


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        ("UNAUTHENTICATED", "CREDENTIALS_EXPIRED", Exit.DENIED),
        ("UNAVAILABLE", "CIRCUIT_OPEN", Exit.FAILED),
        ("UNAVAILABLE", "", Exit.UNREACHABLE),
        ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", Exit.FAILED),
    ],
)
def test_exit_codes(code: str, reason: str, expected: Exit) -> None:
    assert exit_code(CallFailed(code, "x", reason)) is expected


def test_markup_in_a_message_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    report(CallFailed("INTERNAL", "[red]not[/red] markup"), as_json=False)
    assert "[red]not[/red] markup" in capsys.readouterr().err
