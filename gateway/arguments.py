"""Strict reading of JSON that a model or a stranger sent: what two parsers could read in two ways is an error.

A policy judges the arguments that the gateway parsed, the tool works on those that its own parser made of the same bytes.
So everything that parsers are known to disagree about is refused here: repeated names, integers beyond 64 bits,
lone surrogates, NaN, a byte order mark, bytes that are not UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import orjson

from gateway.errors import CallError, FieldViolation, Reason

MAX_DEPTH = 64
"""Levels of nesting that are read; an object of plain values has one."""

MAX_NAME = 256
"""Characters that an identifier in a request may have."""

_LOWEST, _HIGHEST = -(2**63), 2**64 - 1
_LONGEST_INTEGER = len(str(_LOWEST))
# Control characters, and the invisible ones that reorder or break a line in a log or on a screen.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


def has_control(text: str) -> bool:
    """Whether `text` holds a character that must not be in a name."""
    return _CONTROL.search(text) is not None


def shown(name: str) -> str:
    """A caller's name as it may appear in an error: short, and without invisible characters."""
    return _CONTROL.sub("?", name[:64])


def parse_object(data: bytes, field: str, reason: Reason = Reason.ARGUMENTS_INVALID) -> dict[str, Any]:
    """The JSON object in `data`.

    Raises CallError with `reason`, naming `field`, for anything that is not one, is nested more than MAX_DEPTH levels deep,
    holds an integer outside −2⁶³ … 2⁶⁴−1, a repeated name in one object, or a control character in a name.
    """
    try:
        return _parse(data)
    except ValueError as error:
        raise _refusal(field, str(error), reason) from None


def _parse(data: bytes) -> dict[str, Any]:
    text = _decode(data)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON at character {error.pos + 1}") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    # Fewer brackets than levels allowed cannot be too deep: the usual call never walks the tree.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValueError(f"is nested more than {MAX_DEPTH} levels deep")
    _EXACT.decode(text)
    return value


def _decode(data: bytes) -> str:
    if not data:
        raise ValueError("is empty; send {} for an object without entries")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not valid UTF-8 at byte {error.start + 1}") from None


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
    return depth


def _children(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _names(pairs: list[tuple[str, Any]]) -> None:
    """Checks the names of one object; the value itself comes from orjson."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f'has the name "{shown(name)}" twice in one object')
        if _CONTROL.search(name):
            raise ValueError(f'has a control character in the name "{shown(name)}"')
        seen.add(name)


def _integer(digits: str) -> int:
    # Length first: Python takes quadratic time for an integer of very many digits.
    if len(digits) > _LONGEST_INTEGER or not _LOWEST <= (value := int(digits)) <= _HIGHEST:
        raise ValueError("holds an integer beyond 64 bits; send it as a string")
    return value


# A second pass over what orjson found well-formed, for the two things that orjson passes over in silence.
_EXACT = json.JSONDecoder(object_pairs_hook=_names, parse_int=_integer)


def _refusal(field: str, description: str, reason: Reason) -> CallError:
    return CallError(reason, f'The field "{field}" {description}.', fields=(FieldViolation(field, description),))
