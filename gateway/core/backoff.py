"""How long to wait before an attempt is repeated."""

from __future__ import annotations

from collections.abc import Callable

_MOST_DOUBLINGS = 64
"""Beyond any maximum that makes sense, and far from where a float overflows."""


def full_jitter(attempt: int, initial: float, maximum: float, random: Callable[[], float]) -> float:
    """Seconds between 0 and `initial` × 2^`attempt`, at most `maximum`; `attempt` 0 is the first wait.

    The whole range is random, so that callers who failed together do not come back together. `random` yields [0, 1).
    """
    ceiling: float = initial * 2.0 ** min(attempt, _MOST_DOUBLINGS)
    return random() * min(maximum, ceiling)
