"""Random bytes for the parts of rows, fetched many at a time."""

from __future__ import annotations

from collections.abc import Callable

_AT_ONCE = 8192
"""Bytes fetched at a time. Each fetch gives the interpreter to another thread, and getting it back may take milliseconds."""


class Salts:
    """Hands out bytes of `entropy`, each once. Belongs to one thread."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._pool = b""
        self._used = 0

    def __call__(self, size: int) -> bytes:
        start, end = self._used, self._used + size
        if end > len(self._pool):
            self._pool = self._entropy(max(size, _AT_ONCE))
            start, end = 0, size
        self._used = end
        return self._pool[start:end]
