"""A limit on how many run at once, with a bounded first-come, first-served queue."""

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
    """

    def __init__(self, limit: int, queue: int) -> None:
        self._limit = limit
        self._queue = queue
        self._running = 0
        self._waiting: deque[W] = deque()

    def enter(self) -> bool:
        """Takes a free place; False when there is none."""
        if self._running >= self._limit:
            return False
        self._running += 1
        return True

    def wait(self, waiter: W) -> bool:
        """Queues `waiter`; False when the queue is full."""
        if len(self._waiting) >= self._queue:
            return False
        self._waiting.append(waiter)
        return True

    def leave(self) -> W | None:
        """Gives a place back. The waiter returned holds it from now on; None: nobody waits, the place is free."""
        if self._waiting:
            return self._waiting.popleft()
        self._running -= 1
        return None

    def give_up(self, waiter: W) -> None:
        """Takes `waiter` out of the queue; nothing happens if it is no longer there."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def snapshot(self) -> ConcurrencySnapshot:
        return ConcurrencySnapshot(self._running, len(self._waiting))
