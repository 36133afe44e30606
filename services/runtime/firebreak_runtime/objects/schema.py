"""What a tool says of itself: the JSON Schema of the arguments that a model fills, and that of its artifact."""

from __future__ import annotations

import hashlib
import typing
from typing import Any

from langchain_core.tools import BaseTool, Tool
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from firebreak_runtime.errors import LoadError
from firebreak_runtime.json_values import JsonError, dumps

_SINGLE_TEXT = {
    "type": "object",
    "properties": {"__arg1": {"title": "__arg1", "type": "string"}},
    "required": ["__arg1"],
}
"""A classic Tool takes one text; this is the name that LangChain's own conversions give it."""

_SAYS_NOTHING = (Any, object, bytes)


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


def output_schema(tool: BaseTool) -> bytes:
    """JSON Schema of the artifact, from what the tool's function says that it returns; b"" where that says nothing."""
    if tool.response_format != "content_and_artifact":
        return b""
    returned = typing.get_args(_returned(tool))
    if len(returned) != 2 or returned[1] in _SAYS_NOTHING:
        return b""
    try:
        # By the names under which artifacts.py writes a model's fields, or no artifact with an alias would fit.
        by_alias = bool(getattr(returned[1], "model_config", {}).get("serialize_by_alias"))
        return dumps(TypeAdapter(returned[1]).json_schema(by_alias=by_alias, mode="serialization"), sort=True)
    except (PydanticUserError, JsonError, TypeError):
        return b""


def _returned(tool: BaseTool) -> Any:
    for name in ("func", "coroutine", "_run", "_arun"):
        function = getattr(tool, name, None)
        try:
            found = typing.get_type_hints(getattr(function, "func", function)).get("return")
        except (NameError, TypeError, AttributeError):
            continue
        if typing.get_origin(found) is tuple:
            return found
    return None


def _as_json(schema: Any) -> dict[str, Any]:
    if isinstance(schema, dict):
        return schema
    found = schema.model_json_schema() if hasattr(schema, "model_json_schema") else schema.schema()
    return typing.cast("dict[str, Any]", found)
