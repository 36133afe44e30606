"""A tool that raises: its result says so, and nothing of the text escapes that was not meant for the model."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.errors import ServedError
from firebreak_runtime.served import Served

from tests.unit.runtime.fake_gateway import collect


def run(served: Served, **args: Any) -> tool_pb2.ToolResult:
    call = tool_pb2.ToolCall(target="it", tool_call_id="c-1", args_json=orjson.dumps(args))
    (message,) = collect(served, "Call", tool_pb2.ToolServiceCallRequest(call=call).SerializeToString())
    return tool_pb2.ToolServiceCallResponse.FromString(message).result


@pytest.fixture(params=["sync", "async"])
def mode(request: Any) -> str:
    return str(request.param)


def test_a_tool_exceptions_text_is_for_the_model(serve: Any, mode: str) -> None:
    result = run(serve("fails", "tool", mode=mode), how="told")

    assert (result.status, result.error_message) == (tool_pb2.TOOL_STATUS_TOOL_ERROR, "say please")
    assert not result.content


def test_any_other_exception_shows_its_type_alone(serve: Any, mode: str, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        result = run(serve("fails", "tool", mode=mode), how="oops")

    assert (result.status, result.error_message) == (tool_pb2.TOOL_STATUS_TOOL_ERROR, "the tool failed: RuntimeError")
    assert b"hunter2" not in result.SerializeToString()
    assert "hunter2" in caplog.text


def test_out_of_memory_is_left_to_the_worker(serve: Any, mode: str) -> None:
    with pytest.raises(MemoryError):
        run(serve("fails", "tool", mode=mode), how="memory")


def test_wrong_arguments_are_named_without_their_values(serve: Any, mode: str) -> None:
    result = run(serve("add", "tool", mode=mode), a="sesame", b=[])

    assert result.status == tool_pb2.TOOL_STATUS_INVALID_ARGS
    assert "args.a: Input should be a valid integer" in result.error_message
    assert "args.b: Input should be a valid integer" in result.error_message
    assert "sesame" not in result.error_message


def test_what_a_tools_own_check_says_stays_inside(serve: Any, mode: str) -> None:
    result = run(serve("checked", "tool", mode=mode), code="a secret code")

    assert result.status == tool_pb2.TOOL_STATUS_INVALID_ARGS
    assert result.error_message == "args.code: the tool refuses this value"


def test_a_validation_error_inside_the_tool_is_the_tools_failure(serve: Any, mode: str) -> None:
    result = run(serve("fails", "tool", mode=mode), how="inner validation")

    assert (result.status, result.error_message) == (
        tool_pb2.TOOL_STATUS_TOOL_ERROR,
        "the tool failed: ValidationError",
    )


def test_a_tool_that_handles_its_errors_keeps_its_words(serve: Any, mode: str) -> None:
    result = run(serve("handled", "tool", mode=mode), text="a")

    assert (result.status, result.error_message) == (tool_pb2.TOOL_STATUS_TOOL_ERROR, "it went wrong, try 'b'")


def test_an_artifact_that_no_wire_carries_is_refused(serve: Any, mode: str) -> None:
    with pytest.raises(ServedError) as error:
        run(serve("odd_artifact", "tool", mode=mode), words="x")

    assert error.value.reason == "CONTRACT_VIOLATED"
    assert "builtins.object" in error.value.message
