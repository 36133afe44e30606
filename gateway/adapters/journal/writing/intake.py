"""What waits for the journal's thread: entries in bounded memory, and the count of those that found no room.

The event loop's thread puts, the journal's thread takes, and neither ever waits for the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.adapters.journal.writing.entries import Entry

ENTRY = 4096
"""Bytes that an entry counts for beside the messages that it keeps alive."""


@dataclass(slots=True)
class Queued:
    """An entry, the bytes that it counts for, and who waits until it is durable: told True, or False where it was lost."""

    entry: Entry
    size: int
    waiter: asyncio.Future[bool] | None = None


class Intake:
    """A queue of entries of at most `limit` bytes; what calls in flight keep for their entries counts too."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[Queued] = deque()
        # Two numbers, each changed by one thread only: a sum that both changed would need a lock.
        self._taken = 0
        self._released = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def bytes(self) -> int:
        return self._taken - self._released

    @property
    def crowded(self) -> bool:
        """Whether the half that is left is needed for the calls that run already."""
        return self.bytes * 2 > self._limit

    def reserve(self, size: int) -> bool:
        """Takes `size` bytes, or returns False where there is no room. For the event loop's thread."""
        if self.bytes + size > self._limit:
            return False
        self._taken += size
        return True

    def forget(self, size: int) -> None:
        """Gives back what was reserved for an entry that will not come. For the event loop's thread."""
        self._taken -= size

    def put(self, item: Queued) -> None:
        """Queues `item`, whose size is reserved. For the event loop's thread."""
        self._queue.append(item)

    def take(self, count: int, size: int) -> list[Queued]:
        """The first entries: at most `count`, of at most `size` bytes together unless the first alone is larger."""
        taken: list[Queued] = []
        while self._queue and len(taken) < count:
            size -= self._queue[0].size
            if taken and size < 0:
                break
            taken.append(self._queue.popleft())
        return taken

    def give_back(self, items: Iterable[Queued]) -> None:
        """`items` come first again, in their order."""
        self._queue.extendleft(reversed(list(items)))

    def release(self, size: int) -> None:
        """`size` bytes are written. For the journal's thread."""
        self._released += size


@dataclass(frozen=True, slots=True)
class Loss:
    """Calls that went unrecorded between `since` and `until` (microseconds since 1970), of `bytes` bytes together."""

    count: int
    since: int
    until: int
    bytes: int


class Losses:
    """Counts losses. `total` and `cut` (answers that were not kept whole) only grow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._untold: Loss | None = None
        self.total = 0
        self.cut = 0

    def add(self, at: int, size: int) -> None:
        """One more call was lost, at `at` microseconds since 1970."""
        with self._lock:
            self.total += 1
            self._untold = _sum(self._untold, Loss(1, at, at, size))

    def count(self, more: int) -> None:
        """That many calls were lost, which is told already."""
        with self._lock:
            self.total += more

    @property
    def untold(self) -> bool:
        return self._untold is not None

    def take(self) -> Loss | None:
        """What was lost and not told yet; the caller tells it, or gives it back."""
        with self._lock:
            untold, self._untold = self._untold, None
            return untold

    def give_back(self, loss: Loss) -> None:
        with self._lock:
            self._untold = _sum(self._untold, loss)


def _sum(one: Loss | None, other: Loss) -> Loss:
    if one is None:
        return other
    return Loss(
        one.count + other.count,
        min(one.since, other.since),
        max(one.until, other.until),
        one.bytes + other.bytes,
    )
