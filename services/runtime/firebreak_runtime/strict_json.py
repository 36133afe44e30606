"""JSON objects that strangers send, read so that every parser behind this one sees the same value."""

from __future__ import annotations

import json
from typing import Any

import orjson

MAX_DEPTH = 64
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_DIGITS = len(str(_SMALLEST))


class StrictJsonError(ValueError):
    """The text completes "the field …" and holds nothing of the value."""


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`.

    Raises StrictJsonError for anything else, for more than MAX_DEPTH levels, integers beyond 64 bits, a name that is there
    twice in one object, lone surrogates, NaN and bytes that are not UTF-8.
    """
    if not data:
        raise StrictJsonError("is empty; send {} where there is nothing to say")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise StrictJsonError(f"is not well-formed JSON at character {error.pos + 1}") from None
    if not isinstance(value, dict):
        raise StrictJsonError("is not a JSON object")
    _check_depth(data, value)
    # orjson rounds long integers and drops doubled names without a word; the slower parser is there for these two.
    _SECOND_LOOK.decode(data.decode())
    return value


def _check_depth(data: bytes, value: Any) -> None:
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, (dict, list))]
        if not level:
            return
    raise StrictJsonError(f"is nested more than {MAX_DEPTH} levels deep")


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise StrictJsonError("has a name twice in one object")


def _whole(digits: str) -> None:
    # Length first: to convert very many digits takes quadratic time.
    if len(digits) > _DIGITS or not _SMALLEST <= int(digits) <= _LARGEST:
        raise StrictJsonError("holds an integer beyond 64 bits; send it as a string")


_SECOND_LOOK = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_whole)
