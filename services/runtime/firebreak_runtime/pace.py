"""The pace of a stream's events: a tool that reports without end must not make its neighbours on the machine late."""

from __future__ import annotations

PER_SECOND, AT_ONCE = 500.0, 40
"""Events, as the gateway lets them pass: what came sooner would only be made, and wait there."""
PAUSE = 0.05
"""Seconds: no shorter pause is made. To wake up for each event costs more than the events do."""


class Pace:
    """AT_ONCE events go at once, then PER_SECOND on average, a few dozen together between pauses. `now` is in seconds."""

    def __init__(self, now: float) -> None:
        self._due = now - AT_ONCE / PER_SECOND

    def passed(self, now: float) -> float:
        """One event has passed. The seconds to wait before the next, 0.0 as long as it is not far ahead."""
        self._due = max(self._due, now - AT_ONCE / PER_SECOND) + 1 / PER_SECOND
        ahead = self._due - now
        return ahead if ahead >= PAUSE else 0.0
