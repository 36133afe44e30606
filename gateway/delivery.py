"""What callers have not sent yet, and what they have not read: bounded in number, bytes and time, whoever is slow."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio

from gateway.errors import CallError, Reason
from gateway.time_limit import TimeLimit, within

_COME_BACK = 1.0
"""Seconds after which a caller that reads has read something."""


class Requests:
    """Reads the one message of calls; at most `at_once` callers let it wait for theirs, each for at most `seconds`.

    Where there are more, who has let it wait for longest is waited for no more: the others came just now.
    """

    def __init__(self, seconds: float, at_once: int) -> None:
        self._seconds = seconds
        self._at_once = at_once
        self._waiting: dict[TimeLimit, None] = {}

    async def read(self, context: Any) -> bytes | None:
        """Read here and not by grpc, which would wait for a missing message for ever; None where it is missing."""
        limit = within(self._seconds)
        try:
            with limit:
                self._add(limit)
                request = await context.read()
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(limit, None)
        return None if request is grpc.aio.EOF else bytes(request)

    def _add(self, limit: TimeLimit) -> None:
        if len(self._waiting) >= self._at_once:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.move(asyncio.get_running_loop().time())
        self._waiting[limit] = None


class Unread:
    """Bytes of answers whose calls have ended and that their callers have not read, by principal; grpc alone still has them.

    grpc lets nobody take back what it was given to send, so that all there is to do is to give it no more.
    """

    def __init__(self, limit: int) -> None:
        """At most `limit` bytes, or one answer, for each principal."""
        self._limit = limit
        self._bytes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._bytes)

    def check(self, principal: str, size: int) -> None:
        """Raises CallError OVERLOADED where `size` bytes more would be too many."""
        unread = self._bytes.get(principal, 0)
        if unread and unread + size > self._limit:
            raise CallError(
                Reason.OVERLOADED,
                f"You have not read {unread} bytes of the answers to your calls. Read those, and ask for no more at once.",
                retry_after=_COME_BACK,
                quota=f"unread:{principal}",
            )

    def add(self, context: Any, principal: str, size: int) -> None:
        """The handler of `context` ends and leaves grpc `size` bytes to send; they count until that is done."""
        self._bytes[principal] = self._bytes.get(principal, 0) + size
        context.add_done_callback(lambda _context: self._read(principal, size))

    def _read(self, principal: str, size: int) -> None:
        self._bytes[principal] -= size
        if not self._bytes[principal]:
            del self._bytes[principal]
