"""A limit on how many run at once, with a bounded first-come, first-served queue: short while it only makes calls late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class ConcurrencySnapshot:
    """How many run and wait now."""

    running: int
    waiting: int


class ConcurrencyLimit(Generic[W]):
    """`limit` places and a queue of at most `queue` waiters.

    A waiter is anything that the caller can wake. A place that comes free goes straight to the first waiter, so nobody can
    slip in before those who wait.

    A queue serves bursts: it fills, and drains. One that has half turned over without having been empty, and is full
    again, does not drain: more come than can be served, and all that a long queue does is make those late who are served.
    From then on the limit is `crowded`: half as many may wait as run, so that who waits does so for half the time that a
    call takes. It is over when as many as fit in here have left in a row without anyone having been refused, or
    when nobody runs. Counting needs no clock, and fits calls of a millisecond as well as those of a minute.
    """

    def __init__(self, limit: int, queue: int) -> None:
        self._limit = limit
        self._queue = queue
        self._short = min(queue, (limit + 1) // 2)
        self._running = 0
        self._waiting: deque[W] = deque()
        self._handed_on = 0
        self._left_since_refused = 0
        self._crowded = False

    @property
    def crowded(self) -> bool:
        return self._crowded

    def enter(self) -> bool:
        """Takes a free place; False when there is none."""
        if self._running >= self._limit:
            return False
        self._running += 1
        return True

    def wait(self, waiter: W) -> bool:
        """Queues `waiter`; False when the queue is full. Then ask `surplus` who else has to go."""
        if len(self._waiting) >= self._room:
            self._left_since_refused = 0
            self._crowded = self._crowded or self._handed_on > self._queue // 2
            return False
        self._waiting.append(waiter)
        return True

    def surplus(self) -> list[W]:
        """Takes those out of the queue for whom it has become too short: who has waited longest would be the latest."""
        return [self._waiting.popleft() for _ in range(len(self._waiting) - self._room)]

    def leave(self) -> W | None:
        """Gives a place back. The waiter returned holds it from now on; None: nobody waits, the place is free."""
        self._left_since_refused += 1
        if self._waiting:
            self._handed_on += 1
            self._calm(self._left_since_refused > self._limit + self._queue)
            return self._waiting.popleft()
        self._handed_on = 0
        self._running -= 1
        self._calm(self._left_since_refused > self._limit + self._queue or not self._running)
        return None

    def give_up(self, waiter: W) -> None:
        """Takes `waiter` out of the queue; nothing happens if it is no longer there."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def snapshot(self) -> ConcurrencySnapshot:
        return ConcurrencySnapshot(self._running, len(self._waiting))

    @property
    def _room(self) -> int:
        return self._short if self._crowded else self._queue

    def _calm(self, calm: bool) -> None:
        if self._crowded and calm:
            self._crowded = False
            self._handed_on = 0
