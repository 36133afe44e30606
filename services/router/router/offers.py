"""The tools that a caller binds, and what their parameters are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_EXPRESSION = frozenset({"expression", "expr", "formula", "calculation", "equation", "arithmetic"})
_CODE = frozenset({"code", "source", "script", "program", "snippet"})


class Role(StrEnum):
    """What goes into a parameter."""

    EXPRESSION = "expression"
    CODE = "code"
    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool: `choices` where only certain values are allowed, `whole` where a number must be an integer."""

    name: str
    role: Role
    required: bool
    choices: tuple[Any, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as it was bound."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]


def offer(tool: Mapping[str, Any]) -> Offer:
    """An OpenAI-shaped tool as an Offer; raises ValueError when it has no name."""
    function = tool.get("function", tool)
    if not function.get("name"):
        raise ValueError("a bound tool has no name")
    schema = function.get("parameters") or {}
    required = set(schema.get("required", ()))
    parameters = tuple(
        _parameter(name, value, name in required) for name, value in (schema.get("properties") or {}).items()
    )
    return Offer(function["name"], (function.get("description") or "").strip(), parameters)


def _parameter(name: str, schema: Mapping[str, Any], required: bool) -> Parameter:
    shape = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    choices = tuple(shape.get("enum", ()))
    kind = shape.get("type")
    return Parameter(name, _role(name, kind, choices), required, choices, whole=kind == "integer")


def _role(name: str, kind: object, choices: tuple[Any, ...]) -> Role:
    words = set(name.lower().replace("-", "_").split("_"))
    if choices:
        return Role.CHOICE
    if kind in ("integer", "number"):
        return Role.NUMBER
    if kind != "string":
        return Role.OTHER
    return Role.EXPRESSION if words & _EXPRESSION else Role.CODE if words & _CODE else Role.TEXT
