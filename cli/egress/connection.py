"""One connection of a service, from its request to its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from cli.egress.allow import Entry, Target, permit
from cli.egress.answers import Answered
from cli.egress.body import body
from cli.egress.bounds import Bounds
from cli.egress.head import Head, parse
from cli.egress.idle import Idle
from cli.egress.record import Record
from cli.egress.response import receive
from cli.egress.wire import Ended, TooLong, Wire

Reach = Callable[[Target, Entry], Awaitable[socket.socket]]
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_LINGER_SECONDS, _LINGER_BYTES = 1.0, 1024**2
"""For a client that is still sending while it gets a refusal: it must not find the connection broken before it reads."""


class Connection:
    """`entries` gives the service's list as it is when the request is there; `entry` is what let it through."""

    def __init__(
        self,
        client: socket.socket,
        record: Record,
        entries: Callable[[], Sequence[Entry]],
        reach: Reach,
        bounds: Bounds,
    ) -> None:
        self.entry: Entry | None = None
        self.record = record
        self._client = Wire(client)
        self._entries = entries
        self._reach = reach
        self._bounds = bounds
        self._begun = False
        self._idle = Idle(bounds.idle_seconds)

    async def run(self) -> None:
        """Serves one request. Failures of either side end it, and are in the record; none escapes."""
        try:
            await self._serve()
        except Answered as answer:
            self.record.ended(answer.reason, answer.verdict)
            await self._answer(answer)
        except OSError:
            self.record.ended("the connection broke")

    async def _serve(self) -> None:
        head = await self._head()
        self.record.asked(head.target)
        self.entry = permit(self._entries(), head.target)
        with await self._reach(head.target, self.entry) as sock:
            upstream = Wire(sock)
            self.record.allowed()
            await (self._tunnel(upstream) if head.method == "CONNECT" else self._exchange(head, upstream))

    async def _head(self) -> Head:
        try:
            async with asyncio.timeout(self._bounds.head_seconds):
                return parse(await self._client.until(b"\r\n\r\n", self._bounds.head_bytes))
        except TimeoutError:
            raise Answered(408, f"no request came within {self._bounds.head_seconds:g} s") from None
        except TooLong:
            raise Answered(431, f"the request's head has more than {self._bounds.head_bytes} bytes") from None
        except Ended as ended:
            raise Answered(400, "no request" if ended.nothing else "the request ended before its head") from None

    async def _tunnel(self, upstream: Wire) -> None:
        self._begun = True
        await self._client.send(_ESTABLISHED)
        up = self._client.pass_on(upstream, self._up)
        await self._both(up, upstream.pass_on(self._client, self._down), half_open=True)

    async def _exchange(self, head: Head, upstream: Wire) -> None:
        await self._both(self._ask(head, upstream), self._return(upstream), half_open=False)

    async def _ask(self, head: Head, upstream: Wire) -> None:
        with contextlib.suppress(OSError):  # the target wants no more of it: what it says counts
            onward = head.onward()
            await upstream.send(onward)
            self._up(len(onward))
            async for piece in body(self._client, head.length):
                await upstream.send(piece)
                self._up(len(piece))
            if not await self._client.some(1):  # what comes behind a request is not read
                upstream.finish()

    async def _return(self, upstream: Wire) -> None:
        last = False
        while not last:
            try:
                last, head = await receive(upstream)
            except OSError:
                raise Answered(502, "the host broke the connection before it answered") from None
            self._begun = True
            await self._client.send(head)
            self._down(len(head))
        await upstream.pass_on(self._client, self._down)

    async def _both(self, up: Coroutine[None, None, None], down: Coroutine[None, None, None], half_open: bool) -> None:
        """Until `down` has ended, and `up` too where it may outlast it. Raises Answered, also after too long a silence."""
        try:
            async with asyncio.TaskGroup() as tasks:
                background = [tasks.create_task(up), tasks.create_task(self._idle.over())]
                await down
                if half_open:
                    await background[0]
                for task in background:
                    task.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    def _up(self, count: int) -> None:
        self.record.up += count
        self._idle.moved()

    def _down(self, count: int) -> None:
        self.record.down += count
        self._idle.moved()

    async def _answer(self, answer: Answered) -> None:
        if self._begun:  # it can only be cut off now
            return
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._client.send(answer.encoded())
                self._client.finish()
                left = _LINGER_BYTES
                while left > 0 and (piece := await self._client.some()):
                    left -= len(piece)
