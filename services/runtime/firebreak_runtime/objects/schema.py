"""What a tool says of its arguments: the JSON Schema that a model fills, and the names that only an agent injects."""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, Tool
from langchain_core.tools.base import get_all_basemodel_annotations

from firebreak_runtime.errors import LoadError
from firebreak_runtime.json_values import JsonError, dumps

_SINGLE_TEXT = {
    "type": "object",
    "properties": {"__arg1": {"title": "__arg1", "type": "string"}},
    "required": ["__arg1"],
}
"""A classic Tool takes one text; this is the name that LangChain's own conversions give it."""


def input_schema(tool: BaseTool) -> bytes:
    """JSON Schema of the arguments that a model fills, in canonical bytes. Raises LoadError where there is none."""
    if isinstance(tool, Tool) and tool.args_schema is None:
        return dumps(_SINGLE_TEXT, sort=True)
    try:
        schema = _as_json(tool.tool_call_schema)
        # Name and description have fields of their own; in the schema they would change its hash.
        kept = {key: value for key, value in schema.items() if key not in ("title", "description")}
        return dumps({"type": "object", "properties": {}, **kept}, sort=True)
    except (JsonError, TypeError, ValueError) as error:
        raise LoadError(
            f"the arguments of the tool {tool.name!r} have no JSON Schema: {type(error).__name__}"
        ) from None


def sha256(schema: bytes) -> str:
    return hashlib.sha256(schema).hexdigest()


def injected(tool: BaseTool) -> Mapping[str, Any]:
    """Names and annotations of the arguments that the agent injects; the call id is not one: LangChain fills it."""
    return {
        name: annotation
        for name, annotation in _annotations(tool)
        if _is_injected(annotation) and not _is_injected(annotation, InjectedToolCallId)
    }


def call_ids(tool: BaseTool) -> frozenset[str]:
    """Names of the arguments that LangChain fills with the id of the tool call."""
    return frozenset(name for name, annotation in _annotations(tool) if _is_injected(annotation, InjectedToolCallId))


def is_runtime(annotation: Any) -> bool:
    """Whether the annotation is LangGraph's ToolRuntime, told by its name: tools do not import langgraph for this."""
    kind = typing.get_origin(annotation) or annotation
    return isinstance(kind, type) and any(base.__name__ == "ToolRuntime" for base in kind.__mro__)


def _is_injected(annotation: Any, kind: type = InjectedToolArg) -> bool:
    marks = typing.get_args(annotation)[1:] if hasattr(annotation, "__metadata__") else ()
    if any(isinstance(mark, kind) or (isinstance(mark, type) and issubclass(mark, kind)) for mark in marks):
        return True
    return kind is InjectedToolArg and is_runtime(annotation)


def _annotations(tool: BaseTool) -> Iterator[tuple[str, Any]]:
    if isinstance(tool.args_schema, type):
        yield from get_all_basemodel_annotations(tool.args_schema).items()
    for name in ("func", "coroutine", "_run", "_arun"):
        function = getattr(tool, name, None)
        try:
            yield from typing.get_type_hints(getattr(function, "func", function), include_extras=True).items()
        except (NameError, TypeError, AttributeError):
            # A name that cannot be resolved here was not resolved by LangChain either: the argument is an ordinary one.
            continue


def _as_json(schema: Any) -> dict[str, Any]:
    if isinstance(schema, dict):
        return schema
    found = schema.model_json_schema() if hasattr(schema, "model_json_schema") else schema.schema()
    return typing.cast("dict[str, Any]", found)
