"""JSON bytes, strictly: what JSON cannot carry is an error, never another value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"\d{19}")
_BITS = (-(2**63), 2**64 - 1)


class JsonError(ValueError):
    """The value or the bytes are outside of what JSON carries here. The text holds no value."""


def dumps(value: Any, *, sort: bool = False) -> bytes:
    """The value as JSON; dataclasses and pydantic models as objects.

    Raises JsonError for integers beyond 64 bits, keys that are no strings, NaN, infinity, lone surrogates, and objects.
    """
    try:
        data = orjson.dumps(value, default=_model_fields, option=orjson.OPT_SORT_KEYS if sort else None)
    except TypeError as error:
        raise JsonError(str(error)) from None
    # orjson writes NaN as null, so only what holds a null has to be looked through.
    if b"null" in data and not _finite(value):
        raise JsonError("NaN and infinity are not JSON")
    return data


def dumps_marked(value: Any) -> bytes:
    """The value as JSON where a part that JSON cannot carry becomes {"not_json": "its.Type"}: for what only informs."""
    try:
        return dumps(value)
    except JsonError:
        return orjson.dumps(_marked(value, depth=0))


def loads(data: bytes) -> Any:
    """The value of JSON bytes. Raises JsonError for anything malformed and for integers beyond 64 bits."""
    try:
        if _LONG_NUMBER.search(data) is None:
            return orjson.loads(data)
        orjson.loads(data)
        # orjson turns longer integers into floats without a word.
        return json.loads(data, parse_int=_integer)
    except (orjson.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise JsonError("it is not well-formed JSON") from None


def loads_object(data: bytes) -> dict[str, Any]:
    """As `loads`, for bytes that must hold an object; none at all is an empty one."""
    value = loads(data) if data else {}
    if not isinstance(value, dict):
        raise JsonError("it is not a JSON object")
    return value


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= 20 else 2**64
    if not _BITS[0] <= value <= _BITS[1]:
        raise JsonError("an integer is beyond 64 bits")
    return value


def _model_fields(value: Any) -> Any:
    """What orjson asks for a type that it does not know."""
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json")
    raise TypeError(f"{type(value).__qualname__} is not JSON")


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(_finite(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return all(_finite(part) for part in value)
    return True


def _marked(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping) and depth < 100:
        return {_text(key): _marked(part, depth + 1) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and depth < 100:
        return [_marked(part, depth + 1) for part in value]
    try:
        return orjson.loads(dumps(value))
    except JsonError:
        kind = type(value)
        return {"not_json": f"{kind.__module__}.{kind.__qualname__}"}


def _text(key: Any) -> str:
    return str(key).encode("utf-8", "replace").decode()
