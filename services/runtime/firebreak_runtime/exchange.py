"""One call's answer on its way from a worker to the caller, held in the host within bounds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from firebreak_runtime.errors import ServedError
from firebreak_runtime.frames import CREDITS, GRANT, MAX_MESSAGE, FrameError


class Exchange:
    """Takes a worker's frames on one side, gives whole messages on the other.

    `grant` sends the worker that many credits. A worker that sends without credit, or more than one message's bytes without
    an end, breaks the protocol. `answered` says that the worker itself ended the call, `abandoned` that nobody waits for it.
    """

    def __init__(self, number: int, grant: Callable[[int], None]) -> None:
        self.number = number
        self.abandoned = False
        self.ended = False
        self.answered = False
        self._grant = grant
        self._error: ServedError | None = None
        self._messages: deque[bytes] = deque()
        self._parts = bytearray()
        self._credits = CREDITS
        self._used = 0
        self._handed_out = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def held(self) -> int:
        """Bytes of a message whose end is still to come."""
        return len(self._parts)

    def part(self, payload: bytes) -> None:
        """A piece of a message. Raises FrameError."""
        self._spend()
        self._parts += payload
        if len(self._parts) > MAX_MESSAGE:
            raise FrameError(f"a message of more than {MAX_MESSAGE} bytes")
        self._count()

    def message(self, payload: bytes) -> None:
        """The last piece of a message. Raises FrameError."""
        self._spend()
        whole = bytes(self._parts) + payload if self._parts else payload
        self._parts.clear()
        if len(whole) > MAX_MESSAGE:
            raise FrameError(f"a message of more than {MAX_MESSAGE} bytes")
        self._messages.append(whole)
        self._wake()

    def finish(self, error: ServedError | None = None) -> None:
        """The worker has ended the call."""
        if not self.ended:
            self.answered = True
            self._end(error)

    def fail(self, error: ServedError) -> None:
        """The host ends the call: what is queued is dropped, or the error would wait behind it."""
        self._messages.clear()
        self._parts.clear()
        self._end(self._error or error)

    async def next(self) -> bytes | None:
        """The next message, None after the last. Raises ServedError. To ask again says that the last one was delivered."""
        if self._handed_out:
            self._handed_out = False
            self._count()
        while not self._messages:
            if self._error is not None:
                raise self._error
            if self.ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._handed_out = True
        return self._messages.popleft()

    def _spend(self) -> None:
        if self._credits == 0:
            raise FrameError("more frames than were granted")
        self._credits -= 1

    def _count(self) -> None:
        self._used += 1
        if self._used >= GRANT and not self.ended:
            self._credits += self._used
            self._grant(self._used)
            self._used = 0

    def _end(self, error: ServedError | None) -> None:
        self.ended = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
