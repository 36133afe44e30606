"""The calls that a server serves now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class InFlight:
    """Counts calls between their beginning and their end."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()
        self._some = asyncio.Event()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """A call runs while this is open."""
        self._count += 1
        self._none.clear()
        self._some.set()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._some.clear()
                self._none.set()

    async def quiet(self, lull: float) -> None:
        """Returns when no call has run for `lull` seconds."""
        while True:
            await self._none.wait()
            try:
                await asyncio.wait_for(self._some.wait(), lull)
            except asyncio.TimeoutError:
                return
