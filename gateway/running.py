"""Which calls run now, for a gateway that wants to end without losing one."""

from __future__ import annotations

import asyncio
import contextlib


class Running:
    """Ids of the calls that run now, over all listeners; tells when those of one moment have all ended."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._began = asyncio.Event()
        self._ended = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ids)

    def start(self, call_id: str) -> None:
        self._ids.add(call_id)
        self._began.set()

    def end(self, call_id: str) -> None:
        self._ids.discard(call_id)
        self._ended.set()

    async def finished(self) -> None:
        """Returns when every call that runs now has ended; later ones do not matter."""
        earlier = set(self._ids)
        while earlier := earlier & self._ids:
            self._ended.clear()
            await self._ended.wait()

    async def next(self, seconds: float) -> bool:
        """Returns when another call has started, or when none has for `seconds`; whether one has."""
        self._began.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._began.wait()
        return self._began.is_set()
