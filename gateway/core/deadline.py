"""Deadlines as absolute instants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """The instant by which a call must have ended.

    `at` is in seconds of the monotonic clock that the caller uses everywhere (asyncio's `loop.time()`), never of the wall
    clock: a clock that is set must not move a deadline. `float("inf")` means that nobody set one yet.
    """

    at: float

    def remaining(self, now: float) -> float:
        """Seconds left at `now`; zero when the deadline has passed."""
        return max(0.0, self.at - now)

    def expired(self, now: float) -> bool:
        return now >= self.at

    def at_most(self, at: float) -> Deadline:
        """The earlier of this deadline and the instant `at`: a deadline only ever narrows."""
        return self if self.at <= at else Deadline(at)


NEVER = Deadline(float("inf"))
