"""How a tool ended, as a result that a model may read."""

from __future__ import annotations

import logging
import typing
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

from firebreak.v1 import tool_pb2
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from pydantic_core import core_schema

from firebreak_runtime.artifacts import ArtifactError, ArtifactTooLarge, to_artifact
from firebreak_runtime.commands import LIMIT, is_command, to_graph_output
from firebreak_runtime.context import current
from firebreak_runtime.convert import ConvertError, text_of, to_content
from firebreak_runtime.errors import ServedError
from firebreak_runtime.json_values import dumps_marked
from firebreak_runtime.state_json import StateError, dump_state

_log = logging.getLogger(__name__)

# Texts that pydantic itself writes about a value name only what the schema allows. These do not: the first two carry what
# the tool's own check raised, the last repeats the argument.
_UNSAFE_TEXTS = frozenset({"value_error", "assertion_error", "union_tag_invalid"})
_PYDANTIC_TEXTS = frozenset(typing.get_args(core_schema.ErrorType)) - _UNSAFE_TEXTS


def result_of(output: Any, tool: BaseTool, tool_call_id: str) -> tool_pb2.ToolResult:
    """The result of a tool that returned. Raises ServedError CONTRACT_VIOLATED for what cannot leave its process, and
    RESPONSE_TOO_LARGE for an artifact or a command that is too large."""
    if not isinstance(output, ToolMessage) or not _is_langchains(output, tool, tool_call_id):
        return _graph_result(output, tool_call_id)
    try:
        return _plain(output)
    except ArtifactTooLarge as error:
        raise _too_large(str(error)) from None
    except (ConvertError, ArtifactError) as error:
        raise _unfit(str(error)) from None


def value_of(output: Any, tool_call_id: str) -> tool_pb2.ToolResult:
    """The result for a caller that wants what the tool returned. Raises as `result_of`."""
    parts = output if isinstance(output, list) and output else [output]
    if all(isinstance(part, ToolMessage) or is_command(part) for part in parts):
        return _graph_result(output, tool_call_id)
    text = output if isinstance(output, str) else dumps_marked(output).decode()
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=to_content(_safe(text)))
    try:
        result.value_json = dump_state(output, "result")
    except StateError:
        # The text alone, as a model would read it.
        return result
    if len(result.value_json) > LIMIT:
        raise _too_large(f"it has {len(result.value_json)} bytes; at most {LIMIT} fit")
    return result


def _is_langchains(message: ToolMessage, tool: BaseTool, tool_call_id: str) -> bool:
    """Whether LangChain made the message of what the tool returned; else the tool made it, and all of it counts."""
    extra = message.id or message.additional_kwargs or message.response_metadata
    return message.name == tool.name and message.tool_call_id == tool_call_id and not extra


def _plain(message: ToolMessage) -> tool_pb2.ToolResult:
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=to_content(message.content))
    if message.status == "error":
        # The tool handles its own errors (handle_tool_error): the content is what it chose for the model.
        result.status = tool_pb2.TOOL_STATUS_TOOL_ERROR
        result.error_message = _safe(text_of(message.content) or "the tool failed")
    if message.artifact is not None:
        result.artifact.CopyFrom(to_artifact(message.artifact))
    return result


def _graph_result(output: Any, tool_call_id: str) -> tool_pb2.ToolResult:
    parts = output if isinstance(output, list) else [output]
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, graph_list=isinstance(output, list))
    answer = next((message for message in _messages(parts) if message.tool_call_id == tool_call_id), None)
    try:
        result.graph_outputs.extend(to_graph_output(part) for part in parts)
        result.content.extend(to_content(answer.content) if answer is not None else ())
    except (ConvertError, StateError) as error:
        raise _unfit(str(error)) from None
    if answer is not None and answer.status == "error":
        result.status = tool_pb2.TOOL_STATUS_TOOL_ERROR
        result.error_message = _safe(text_of(answer.content) or "the tool failed")
    if result.ByteSize() > LIMIT:
        raise _too_large(f"what it hands to the graph has at most {LIMIT} bytes, not {result.ByteSize()}")
    return result


def _messages(parts: Iterable[Any]) -> Iterator[ToolMessage]:
    """The tool's messages in what it returned, to find the one that answers its call."""
    for part in parts:
        update = getattr(part, "update", None)
        inner = update.get("messages") if isinstance(update, dict) else update
        for message in [part, *(inner if isinstance(inner, list) else ())]:
            if isinstance(message, ToolMessage):
                yield message


def failure_of(error: Exception, tool: BaseTool) -> tool_pb2.ToolResult:
    """The result of a tool that raised. Only the text of a ToolException is for the model; others go to the log."""
    if isinstance(error, ToolException):
        return _failure(tool_pb2.TOOL_STATUS_TOOL_ERROR, str(error) or "the tool failed")
    if _is_validation(error) and not _tool_ran(error.__traceback__, tool):
        return _failure(tool_pb2.TOOL_STATUS_INVALID_ARGS, _violations(error))
    context = current.get(None)
    _log.warning("the tool %s failed in call %s", tool.name, context.call_id if context else "-", exc_info=error)
    return _failure(tool_pb2.TOOL_STATUS_TOOL_ERROR, f"the tool failed: {type(error).__name__}")


def _failure(status: tool_pb2.ToolStatus, text: str) -> tool_pb2.ToolResult:
    return tool_pb2.ToolResult(status=status, error_message=_safe(text))


def _safe(text: str) -> str:
    """Without lone surrogates, which protobuf refuses."""
    return text.encode("utf-8", "replace").decode()


def _too_large(why: str) -> ServedError:
    return ServedError("RESPONSE_TOO_LARGE", f"The tool's result is too large: {why}. Ask for less.")


def _unfit(why: str) -> ServedError:
    return ServedError("CONTRACT_VIOLATED", f"the tool's result does not fit the contract: {why}")


def _is_validation(error: Exception) -> bool:
    """Whether it is pydantic's ValidationError, of its version 1 or 2; version 1 is not imported just to ask."""
    return type(error).__name__ == "ValidationError" and callable(getattr(error, "errors", None))


def _tool_ran(trace: TracebackType | None, tool: BaseTool) -> bool:
    """Whether the error came out of the tool's own code, not out of the check of its arguments before it."""
    codes = {getattr(function, "__code__", None) for function in (type(tool)._run, type(tool)._arun)}
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def _violations(error: Any) -> str:
    """Each wrong argument and what is wrong with it, without its value."""
    return "; ".join(_lines(error.errors())) or "the arguments are not valid"


def _lines(problems: Iterable[dict[str, Any]]) -> Iterable[str]:
    for problem in problems:
        kind = str(problem["type"])
        # Version 1 has no list of its texts, but marks what a check raised by exactly these two words.
        safe = kind in _PYDANTIC_TEXTS or ("." in kind and kind not in _UNSAFE_TEXTS)
        path = ".".join(str(part) for part in ("args", *problem["loc"]))
        yield f"{path}: {problem['msg'] if safe else 'the tool refuses this value'}"
