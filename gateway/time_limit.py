"""Time limits on a task's work, for a fraction of what `asyncio.timeout_at` costs: every call has three or four of them.

asyncio sets a timer for each. Here all limits of an event loop share one, set for the earliest; a limit that was kept is
only forgotten, and swept out with many others.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from itertools import count
from types import TracebackType

_SWEEP = 256
"""Forgotten limits that may lie about before they are swept out; more of them only while they are the smaller half."""


class TimeLimit:
    """`with TimeLimit(at):` ends its block with TimeoutError when the event loop's time `at` passes first.

    It does so as `asyncio.timeout_at` does: by cancelling the task, and without hiding a cancellation by anyone else.
    `at` None sets no limit yet. `expired` tells, after the block too, whether the time passed.
    """

    __slots__ = ("_at", "_cancelling", "_limits", "_task", "expired", "number")

    def __init__(self, at: float | None) -> None:
        self.expired = False
        self.number = 0
        self._at = at
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> TimeLimit:
        task = asyncio.current_task()
        assert task is not None  # a limit is for work inside a task
        self._task = task
        self._cancelling = task.cancelling()
        self._limits = _of_running_loop()
        if self._at is not None:
            self._limits.add(self, self._at)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.move(None)
        task, self._task = self._task, None
        assert task is not None
        if self.expired and task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def move(self, at: float | None) -> None:
        """Sets the limit to another time, or lifts it; one that has expired stays so."""
        if self.number:
            self._limits.forget(self)
        if at is not None and not self.expired:
            self._limits.add(self, at)

    def expire(self) -> None:
        """Ends the block."""
        assert self._task is not None
        self.number = 0
        self.expired = True
        self._task.cancel()


def within(seconds: float) -> TimeLimit:
    """The limit that expires `seconds` from now."""
    return TimeLimit(asyncio.get_running_loop().time() + seconds)


class _Limits:
    """The limits of one event loop by time. An entry holds as long as its number is that of its limit."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._numbers: Iterator[int] = count(1)
        self._entries: list[tuple[float, int, TimeLimit]] = []
        self._forgotten = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")

    def add(self, limit: TimeLimit, at: float) -> None:
        limit.number = number = next(self._numbers)
        heapq.heappush(self._entries, (at, number, limit))
        if at < self._due:
            self._set_timer(at)

    def forget(self, limit: TimeLimit) -> None:
        limit.number = 0
        self._forgotten += 1
        if self._forgotten > _SWEEP and self._forgotten * 2 > len(self._entries):
            self._entries = [entry for entry in self._entries if entry[1] == entry[2].number]
            heapq.heapify(self._entries)
            self._forgotten = 0

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = at
        self._timer = self.loop.call_at(at, self._ring)

    def _ring(self) -> None:
        # The loop rings a timer up to one tick of its clock early.
        now = max(self.loop.time(), self._due)
        self._timer, self._due = None, float("inf")
        while self._entries and (self._entries[0][0] <= now or self._entries[0][1] != self._entries[0][2].number):
            _, number, limit = heapq.heappop(self._entries)
            if number == limit.number:
                limit.expire()
            else:
                self._forgotten -= 1
        if self._entries:
            self._set_timer(self._entries[0][0])


_latest: _Limits | None = None


def _of_running_loop() -> _Limits:
    """A process has one event loop; tests have many, one after the other."""
    global _latest
    loop = asyncio.get_running_loop()
    if _latest is None or _latest.loop is not loop:
        _latest = _Limits(loop)
    return _latest
