"""What the gateway says of itself while the launcher waits for something: asked by one, for all who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Report = dict[str, Any]
NOTHING: Report = {"services": []}


class GatewayView:
    """The gateway's /status, again and again while somebody waits. `fetch` raises OSError while none answers."""

    def __init__(self, fetch: Callable[[], Awaitable[Report]], pause: float = 0.1) -> None:
        self.report = NOTHING
        """The last that was seen; without services while the gateway does not answer."""
        self._fetch = fetch
        self._pause = pause
        self._seen = asyncio.Condition()
        self._waiting = 0
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Asks until it is cancelled."""
        while True:
            await self._wanted.wait()
            report = await self._ask()
            async with self._seen:
                self.report = report
                self._seen.notify_all()
            await asyncio.sleep(self._pause)

    async def until(self, met: Callable[[Report], bool]) -> Report:
        """The first report, none from before this call, that `met` is true of."""
        self._waiting += 1
        self._wanted.set()
        try:
            async with self._seen:
                while True:
                    await self._seen.wait()
                    if met(self.report):
                        return self.report
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()

    async def _ask(self) -> Report:
        try:
            return await self._fetch()
        except OSError:
            return NOTHING


def row(report: Report, name: str) -> Report | None:
    """What a report says of one service; None where the gateway does not have it."""
    return next((service for service in report["services"] if service["name"] == name), None)


def drains(report: Report, name: str, socket: str) -> bool:
    """Whether calls that the gateway sent a service at `socket` have not all ended since it turned elsewhere."""
    leaving = report["configuration"]["draining"]
    return any((target["name"], target["socket"]) == (name, socket) for target in leaving)
