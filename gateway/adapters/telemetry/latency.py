"""What /status shows of each target: how many calls of it, how many failed, how long the recent ones took."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gateway.errors import Code
from gateway.outcomes import FAULTS

_RECENT = 1000


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of one target since the start; `p50` and `p99` are seconds over its last calls, None before the first.

    `errors` are calls that ended by no fault of the request. Calls that never reached the target do not count for the times.
    """

    calls: int = 0
    errors: int = 0
    p50: float | None = None
    p99: float | None = None


@dataclass(slots=True)
class _Ring:
    calls: int = 0
    errors: int = 0
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))


class Latencies:
    """The numbers of all targets; what is kept of each is bounded."""

    def __init__(self) -> None:
        self._rings: dict[str, _Ring] = {}

    def add(self, target: str, code: Code, seconds: float, reached: bool) -> None:
        ring = self._rings.get(target)
        if ring is None:
            ring = self._rings[target] = _Ring()
        ring.calls += 1
        ring.errors += code in FAULTS
        if reached:
            ring.seconds.append(seconds)

    def summary(self, target: str) -> Summary:
        ring = self._rings.get(target)
        if ring is None:
            return Summary()
        ordered = sorted(ring.seconds)
        return Summary(ring.calls, ring.errors, _quantile(ordered, 0.5), _quantile(ordered, 0.99))


def _quantile(ordered: list[float], share: float) -> float | None:
    """The smallest value that at least `share` of all values do not exceed."""
    if not ordered:
        return None
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(rank, 1) - 1]
