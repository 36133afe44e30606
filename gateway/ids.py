"""Identifiers of calls: unique without asking anybody, and in the order of time when sorted as text."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_AT_ONCE = 400
"""How many ids' random bits are fetched at a time: a system call for each would cost more than all the rest."""

_RANDOM = 10

_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The digit that stands for RFC 9562 in place of a random one, of which two bits remain."""


def call_ids(wall: Callable[[], float] = time.time, entropy: Callable[[int], bytes] = os.urandom) -> Callable[[], str]:
    """A maker of ids of 32 hexadecimal characters, laid out like a version 7 UUID.

    48 bits of wall time in milliseconds come first, then random ones. Ids of one millisecond sort at random.
    """
    pool: list[str] = []

    def refill() -> None:
        digits, size = entropy(_RANDOM * _AT_ONCE).hex(), 2 * _RANDOM
        pool.extend(_marked(digits[start : start + size]) for start in range(0, len(digits), size))

    def new() -> str:
        if not pool:
            refill()
        return f"{int(wall() * 1000) & 0xFFFF_FFFF_FFFF:012x}{pool.pop()}"

    return new


def _marked(digits: str) -> str:
    """Random digits with the two that say version 7 and its variant."""
    return f"7{digits[1:4]}{_VARIANT[digits[4]]}{digits[5:]}"
