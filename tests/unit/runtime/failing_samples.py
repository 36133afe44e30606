"""Ordinary LangChain tools that fail, and handle it in each of LangChain's ways."""

from __future__ import annotations

from typing import Annotated, Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, StructuredTool, ToolException, tool


def fail(how: str) -> str:
    """Fails in the way it is asked to."""
    if how == "told":
        raise ToolException("say please")
    if how == "untold":
        raise ToolException
    raise RuntimeError("the password is hunter2")


async def fail_later(how: str) -> str:
    """Fails on an event loop."""
    return fail(how)


def _blocks(error: ToolException) -> Any:
    return [{"type": "text", "text": f"blocks: {error}"}]


def _made(handle: Any, of_arguments: Any = False, coroutine: Any = None) -> StructuredTool:
    return StructuredTool.from_function(
        fail, coroutine, name="fail", handle_tool_error=handle, handle_validation_error=of_arguments
    )


by_itself = _made(True)
by_text = _made("try again")
by_function = _made(lambda error: f"handled: {error}")
by_blocks = _made(_blocks)
by_itself_later = _made(True, coroutine=fail_later)
arguments_by_itself = _made(False, True)
arguments_by_text = _made(False, "use words")
arguments_by_function = _made(False, lambda error: f"{error.error_count()} wrong")


@tool
def own_message(how: str, call: Annotated[str, InjectedToolCallId]) -> ToolMessage:
    """Answers with a message of its own."""
    status: Any = "error" if how == "told" else "success"
    return ToolMessage(
        [{"type": "text", "text": how}],
        tool_call_id=call,
        name="other",
        id="m-1",
        status=status,
        artifact={"how": how},
        additional_kwargs={"more": 1},
    )


@tool(return_direct=True)
def final(text: str) -> str:
    """Answers for the agent."""
    return f"final {text}"
