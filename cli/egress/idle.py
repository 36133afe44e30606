"""Silence on a connection."""

from __future__ import annotations

import asyncio

from cli.egress.answers import Answered


class Idle:
    """Counts from `moved`, which costs next to nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._moved = self._loop.time()

    def moved(self) -> None:
        self._moved = self._loop.time()

    async def over(self) -> None:
        """Raises Answered when nothing has moved for so long."""
        self.moved()
        while (left := self._moved + self._seconds - self._loop.time()) > 0:  # noqa: ASYNC110 - time is what it waits for
            await asyncio.sleep(left)
        raise Answered(504, f"nothing came in either direction for {self._seconds:g} s")
