"""How a tool ended, as a result that a model may read."""

from __future__ import annotations

import logging
import typing
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from firebreak.v1 import tool_pb2
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from pydantic_core import core_schema

from firebreak_runtime.artifacts import ArtifactError, to_artifact
from firebreak_runtime.context import current
from firebreak_runtime.convert import ConvertError, text_of, to_content
from firebreak_runtime.errors import ServedError

_log = logging.getLogger(__name__)

# Texts that pydantic itself writes about a value name only what the schema allows. These do not: the first two carry what
# the tool's own check raised, the last repeats the argument.
_UNSAFE_TEXTS = frozenset({"value_error", "assertion_error", "union_tag_invalid"})
_PYDANTIC_TEXTS = frozenset(typing.get_args(core_schema.ErrorType)) - _UNSAFE_TEXTS


def result_of(output: Any) -> tool_pb2.ToolResult:
    """The result of a tool that returned. Raises ServedError CONTRACT_VIOLATED for what cannot leave its process."""
    if not isinstance(output, ToolMessage):
        raise _unfit(f"it returned a {type(output).__qualname__}, which only works inside the agent's own process")
    if output.status == "error":
        # The tool handles its own errors (handle_tool_error): the content is the text that it chose for the model.
        return _failure(tool_pb2.TOOL_STATUS_TOOL_ERROR, text_of(output.content) or "the tool failed")
    try:
        result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=to_content(output.content))
        if output.artifact is not None:
            result.artifact.CopyFrom(to_artifact(output.artifact))
    except (ConvertError, ArtifactError) as error:
        raise _unfit(str(error)) from None
    return result


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
    return tool_pb2.ToolResult(status=status, error_message=text.encode("utf-8", "replace").decode())


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
