"""What a tool hands to the agent's graph in place of content, on the wire: LangGraph's Command, and messages of its own."""

from __future__ import annotations

from typing import Any

from firebreak.v1 import tool_pb2
from langchain_core.messages import ToolMessage

from firebreak_runtime.state_json import StateError, dump_state, load_state

LIMIT = 8 * 1024**2
"""Bytes of all that one call hands to the graph."""


def is_command(value: Any) -> bool:
    """Whether it is LangGraph's Command, told by its name: most tools import no langgraph."""
    return any(base.__name__ == "Command" and base.__module__.startswith("langgraph.") for base in type(value).__mro__)


def to_graph_output(value: Any) -> tool_pb2.GraphOutput:
    """A Command or a ToolMessage. Raises StateError for any other object, and for what would not come back as it went."""
    if isinstance(value, ToolMessage):
        return tool_pb2.GraphOutput(message_json=dump_state(value, "message", objects=False))
    if not is_command(value):
        raise StateError(f"the result is a {type(value).__qualname__}, which only works inside the agent's own process")
    command = tool_pb2.Command(graph=value.graph or "")
    if value.update is not None:
        command.update_json = dump_state(value.update, "update", objects=False)
    if value.resume is not None:
        command.resume_json = dump_state(value.resume, "resume", objects=False)
    if value.goto != ():
        command.goto_json = dump_state(_goto(value.goto), "goto", objects=False)
    return tool_pb2.GraphOutput(command=command)


def from_graph_output(wire: tool_pb2.GraphOutput) -> Any:
    """The ToolMessage or the Command. Raises StateError where it is neither, ImportError without LangGraph."""
    if wire.WhichOneof("output") == "message_json":
        message = load_state(wire.message_json, "message")
        if not isinstance(message, ToolMessage):
            raise StateError("it is no message of a tool")
        return message
    from langgraph.types import Command

    command = wire.command
    goto = _from_goto(load_state(command.goto_json, "goto")) if command.goto_json else ()
    return Command(
        graph=command.graph or None,
        update=load_state(command.update_json, "update") if command.update_json else None,
        resume=load_state(command.resume_json, "resume") if command.resume_json else None,
        goto=goto,
    )


def _goto(goto: Any) -> Any:
    if isinstance(goto, (list, tuple)):
        parts = [_goto(part) for part in goto]
        return parts if isinstance(goto, list) else tuple(parts)
    if isinstance(goto, str):
        return goto
    if getattr(goto, "timeout", None) is not None:
        raise StateError("a Send with a timeout cannot leave its process")
    return {"node": goto.node, "arg": goto.arg}


def _from_goto(goto: Any) -> Any:
    from langgraph.types import Send

    if isinstance(goto, (list, tuple)):
        parts = [_from_goto(part) for part in goto]
        return parts if isinstance(goto, list) else tuple(parts)
    if isinstance(goto, str):
        return goto
    if not isinstance(goto, dict) or not isinstance(goto.get("node"), str):
        raise StateError("goto names no node")
    return Send(goto["node"], goto.get("arg"))
