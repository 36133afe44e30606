"""Masks JSON: whole values by the name that they stand under, and in every text what marks.py finds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import orjson

from gateway.adapters.journal.contents import marks

Path = tuple[object, ...]
Note = Callable[[Path, str, str], None]
"""Is told of each text: where it stands, as it came, and as it is masked."""

_DEPTH = 100
"""Levels of nesting that are looked into; what is deeper is masked as a whole."""

_ANYWHERE = re.compile(
    "passwd|password|passphrase|secret|apikey|privatekey|accesskey|signingkey|credential|authorization"
)
_AT_END = ("token", "tokens", "cookie", "cookies", "pwd", "jwt", "bearer", "otp")
_WHOLE = frozenset({"auth", "pin", "cvv", "cvc", "iban", "ssn"})
_COUNT_ONLY = "tokens"
"""Under names that end so, numbers stay: models count tokens."""

_LONGEST = 64
"""Characters of a name that are looked at; a longer one is no word."""


class Names:
    """Under which names values are masked: those that usually hold secrets, and `more`. Case and separators do not matter.

    `usual`: there are no more.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._more = frozenset(map(_plain, more))
        self.usual = not self._more

    def hide(self, name: str, value: object) -> bool:
        """Whether `value` must not be seen under `name`. Nothing is hidden by hiding null, an empty text or a flag."""
        if value is None or value == "" or len(name) > _LONGEST:
            return False
        plain = _plain(name)
        if plain in self._more:
            return True
        if isinstance(value, bool) or (isinstance(value, int | float) and plain.endswith(_COUNT_ONLY)):
            return False
        return _is_secret(plain)


def mask_json(data: bytes, names: Names | None, note: Note | None = None, path: Path = ()) -> bytes:
    """`data` masked, the same bytes when there is nothing to mask.

    `names` None: only texts are looked at. What is no JSON, as a stream's fragment may be, is treated as text; b"" comes back
    for what is no text either, because nobody can tell what it holds.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _mask_text(data, note, path)
    masked = _mask(value, names, note, path, 0)
    if note is not None and not isinstance(value, dict | list):
        note(("json", *path), data.decode(), orjson.dumps(masked).decode())
    if masked != value or not _is_plain(data, value):
        return orjson.dumps(masked)
    return data


def _mask_text(data: bytes, note: Note | None, path: Path) -> bytes:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return b""
    masked = marks.mask(text)
    if note is not None:
        note(("json", *path), text, masked)
    return masked.encode()


def _mask(value: Any, names: Names | None, note: Note | None, path: Path, depth: int) -> Any:
    if isinstance(value, str):
        masked = marks.mask(value)
        if note is not None:
            note(path, value, masked)
        return masked
    if isinstance(value, dict | list) and depth == _DEPTH:
        return marks.MASKED
    if isinstance(value, dict):
        return {
            marks.mask(name): marks.MASKED
            if names is not None and names.hide(name, inner)
            else _mask(inner, names, note, (*path, name), depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_mask(inner, names, note, path, depth + 1) for inner in value]
    if isinstance(value, int) and value > 10**12 and marks.is_card(str(value)):
        return "[masked:card]"
    return value


def _is_plain(data: bytes, value: Any) -> bool:
    """Whether the bytes hold no more than the value shows: of a name given twice, a parser shows one value only."""
    if orjson.dumps(value) == data:
        return True
    try:
        json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name is given twice")


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


@lru_cache(maxsize=4096)
def _is_secret(plain: str) -> bool:
    return plain in _WHOLE or plain.endswith(_AT_END) or _ANYWHERE.search(plain) is not None
