"""One connection through the proxy, with the client's and the host's ends in the test's hands."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from cli.egress.allow import Entry, Target
from cli.egress.answers import Answered
from cli.egress.bounds import Bounds
from cli.egress.connection import Connection
from cli.egress.record import Record
from tests.unit.cli.egress.loop import pair

SECURE = Entry("https", "a.org", 443)
PLAIN = Entry("http", "a.org", 80)


class Scene:
    """`client` sends requests, `host` is where the proxy has connected to; `reached` lists for what."""

    def __init__(self, bounds: Bounds) -> None:
        self.reached: list[Target] = []
        self.failure: Answered | None = None
        self.record = Record("shop", asyncio.get_running_loop().time())
        ours, self.client = pair()
        self._far, self.host = pair()
        self._near = ours
        self.connection = Connection(ours, self.record, lambda: (SECURE, PLAIN), self._reach, bounds)
        self._task: asyncio.Task[None] | None = None

    async def _reach(self, target: Target, entry: Entry) -> socket.socket:
        self.reached.append(target)
        if self.failure is not None:
            raise self.failure
        return self._far

    def start(self) -> None:
        async def run() -> None:
            with self._near:
                await self.connection.run()

        self._task = asyncio.create_task(run())

    async def ended(self) -> None:
        assert self._task is not None
        await self._task

    async def connected(self) -> None:
        """Opens a tunnel."""
        await self.client.send(b"CONNECT a.org:443 HTTP/1.1\r\n\r\n")
        assert await self.client.receive(39) == b"HTTP/1.1 200 Connection established\r\n\r\n"

    async def answered(self) -> tuple[int, str]:
        """The proxy's own answer: status and text."""
        head, _, text = (await self.client.rest()).decode().partition("\r\n\r\n")
        first = head.split("\r\n")[0]
        assert text == first.split(" ", 2)[2] + "\n"
        return int(first.split(" ")[1]), text


@contextlib.asynccontextmanager
async def scene(bounds: Bounds | None = None) -> AsyncIterator[Scene]:
    made = Scene(bounds or Bounds())
    made.start()
    try:
        yield made
        made.client.close()
        made.host.close()
        await made.ended()
    finally:
        for end in (made.client, made.host):
            end.close()
        made._far.close()
        made._near.close()
