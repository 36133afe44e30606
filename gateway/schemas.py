"""Checks a tool call's arguments against the schema that the tool described, each schema compiled once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

import jsonschema_rs

from gateway.arguments import shown
from gateway.errors import FieldViolation
from gateway.targets import Description, Target

MAX_VIOLATIONS = 16
_BACKTRACKS = 100_000
_PLACEHOLDER = "the value"


class SchemaError(Exception):
    """The schema that a service described is none; its text is for the log."""


class Schemas:
    """The compiled schemas of all tools, each gone with its target."""

    def __init__(self) -> None:
        self._compiled: WeakKeyDictionary[Target, tuple[Description, Any]] = WeakKeyDictionary()

    def violations(
        self, target: Target, args: Mapping[str, Any], injected: Iterable[str]
    ) -> tuple[FieldViolation, ...]:
        """What is wrong with `args`, at most MAX_VIOLATIONS, without any of their values; empty when they fit.

        Names in `injected` that the schema declares are violations too: they would replace what policy has seen.
        Raises SchemaError when the target's schema cannot be compiled.
        """
        description = target.description
        if description is None or description.schema is None:
            return ()
        validator = self._validator(target, description)
        declared = description.schema.get("properties", {})
        smuggled = tuple(
            FieldViolation(f"call.injected_json.{name}", _INJECTED) for name in injected if name in declared
        )
        if validator.is_valid(args):
            return smuggled
        found = islice(validator.iter_errors(args), MAX_VIOLATIONS)
        return smuggled + tuple(violation for error in found for violation in _violations(error))

    def _validator(self, target: Target, description: Description) -> Any:
        # Kept by the description itself, not by the hash in it: the hash is the service's own word.
        compiled = self._compiled.get(target)
        if compiled is None or compiled[0] is not description:
            compiled = (description, _compile(description.schema))
            self._compiled[target] = compiled
        return compiled[1]


def _compile(schema: Any) -> Any:
    """A service's schema may be hostile: no reference leaves it, and no pattern backtracks for long."""
    try:
        return jsonschema_rs.validator_for(
            schema,
            mask=_PLACEHOLDER,
            retriever=_refuse,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS),
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise SchemaError(str(error)) from None


def _refuse(uri: str) -> Any:
    raise ValueError(f"a reference out of the schema is not followed: {shown(uri)}")


_INJECTED = "is an argument that the model fills; send it in args_json"


def _violations(error: Any) -> Iterable[FieldViolation]:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in error.instance_path)
    field = f"args{path}"
    kind = error.kind
    if kind.name == "required":
        return (FieldViolation(f"{field}.{kind.property}", "is missing"),)
    if kind.name == "additionalProperties":
        return tuple(FieldViolation(f"{field}.{shown(name)}", "is not an argument") for name in kind.unexpected)
    return (FieldViolation(field, error.message[:200]),)
