"""What LangChain asks of a chat model, as the contract's Prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from firebreak.v1 import model_pb2
from langchain_core.messages import BaseMessage

from firebreak_runtime.convert import to_message
from firebreak_runtime.json_values import dumps

# LangChain binds these for its tracing, and its own dispatch; they are no parameters of the model.
_LOCAL = frozenset({"ls_structured_output_format", "structured_output_format", "stream", "run_manager"})


def to_prompt(
    target: str, messages: Iterable[BaseMessage], stop: Sequence[str] | None, kwargs: dict[str, Any]
) -> model_pb2.Prompt:
    """The prompt; `kwargs` are those of a call: tools and tool_choice as bind_tools left them, else parameters.

    Raises ValueError for what the contract cannot carry.
    """
    rest = {name: value for name, value in kwargs.items() if name not in _LOCAL}
    offered = rest.pop("tools", None) or []
    choice = choice_of(rest.pop("tool_choice", None), offered)
    return model_pb2.Prompt(
        target=target,
        messages=[to_message(message) for message in messages],
        tools=[_offer(tool) for tool in offered],
        tool_choice=choice,
        stop=list(stop or ()),
        parameters_json=dumps(rest) if rest else b"",
    )


def choice_of(choice: Any, offered: Sequence[dict[str, Any]]) -> str:
    """LangChain's ways to write a tool choice, as one word: "auto", "any", "none", a tool's name, or ""."""
    if choice is None or choice is False:
        return ""
    if choice is True:
        return str(offered[0]["function"]["name"]) if len(offered) == 1 else "any"
    if isinstance(choice, dict):
        named = choice.get("function", choice).get("name")
        choice = named if named else choice.get("type", "")
    return "any" if choice == "required" else str(choice)


def _offer(tool: dict[str, Any]) -> model_pb2.ToolOffer:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        raise ValueError(
            f"a tool of type {tool.get('type')!r} runs at a provider and cannot be offered to a remote model"
        )
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return model_pb2.ToolOffer(
        name=function["name"], description=function.get("description") or "", input_schema_json=dumps(schema)
    )
