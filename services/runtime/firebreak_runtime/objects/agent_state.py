"""An agent's state beside its messages, as the caller asked for it: plain JSON, or such that its values are known again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firebreak_runtime.json_values import dumps_marked
from firebreak_runtime.objects.shared import invalid, json_object
from firebreak_runtime.state_json import StateError, from_json, to_json


def read_state(data: bytes, typed: bool, field: str) -> dict[str, Any]:
    """The state that a caller gives. Raises ServedError ARGUMENTS_INVALID that names the field."""
    state = json_object(data, field)
    if not typed:
        return state
    try:
        return {name: from_json(value, f"{field}.{name}") for name, value in state.items()}
    except StateError as error:
        raise invalid(field, str(error)) from None


def write_state(state: Mapping[str, Any], typed: bool) -> bytes:
    """State for a caller. What cannot be written is named by its type, since most of a state only informs."""
    return dumps_marked({name: _known_again(value, name) for name, value in state.items()} if typed else state)


def _known_again(value: Any, name: str) -> Any:
    try:
        return to_json(value, name)
    except StateError:
        return value
