"""Counts outcomes over a sliding window."""

from __future__ import annotations

from dataclasses import dataclass, field

BUCKETS = 10
"""The window moves on in tenths: an outcome counts for at least 9/10 of the window and at most for all of it."""


@dataclass(slots=True)
class Counts:
    """How many calls ended, how many of them failed, and how many were slow (a call can be both)."""

    calls: int = 0
    failures: int = 0
    slow: int = 0

    def add(self, failed: bool, slow: bool) -> None:
        self.calls += 1
        self.failures += failed
        self.slow += slow

    def subtract(self, other: Counts) -> None:
        self.calls -= other.calls
        self.failures -= other.failures
        self.slow -= other.slow


@dataclass(slots=True)
class OutcomeWindow:
    """Counts over the last `seconds`, in constant time and space whatever the load."""

    seconds: float
    _total: Counts = field(default_factory=Counts)
    _buckets: list[Counts] = field(default_factory=lambda: [Counts() for _ in range(BUCKETS)])
    _tick: int = 0

    def add(self, now: float, *, failed: bool, slow: bool) -> Counts:
        """Counts one call that ended at `now`; returns the counts of the window with it."""
        total = self.counts(now)
        total.add(failed, slow)
        self._buckets[self._tick % BUCKETS].add(failed, slow)
        return total

    def counts(self, now: float) -> Counts:
        """The counts at `now`; valid until the next call of a method."""
        tick = int(now / self.seconds * BUCKETS)
        if tick > self._tick:
            self._forget(min(tick - self._tick, BUCKETS), tick)
            self._tick = tick
        return self._total

    def clear(self) -> None:
        self._total = Counts()
        self._buckets = [Counts() for _ in range(BUCKETS)]

    def _forget(self, count: int, tick: int) -> None:
        """Empties the `count` buckets that end with the one of `tick`: their calls are a window old."""
        for each in range(tick - count + 1, tick + 1):
            self._total.subtract(self._buckets[each % BUCKETS])
            self._buckets[each % BUCKETS] = Counts()
