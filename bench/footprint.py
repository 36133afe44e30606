"""Memory of a gateway at rest, with calls in flight, and with connections that say nothing."""

from __future__ import annotations

import asyncio
import resource
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path

from bench import admin
from bench.fleet import Fleet, Gateway
from bench.load import Caller, at_once, callers

CALLS = (100, 400)
CONNECTIONS = 1000
_TOGETHER = 10
"""Each number of calls is a multiple of it."""
_SPARE = 200
"""Descriptors for everything else in this process."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""With which an HTTP/2 connection begins: a greeting, and settings without any."""

Footprint = dict[str, int]
"""Resident bytes of the gateway's process by what was going on."""


async def measure(
    fleet: Fleet, gateway: Gateway, calls: Sequence[int] = CALLS, connections: int = CONNECTIONS
) -> Footprint:
    """Of a gateway that has just started, in the order of the result."""
    found = {"at rest": resident(gateway.pid)}
    async with callers(fleet, [gateway]) as made:
        await at_once(made, Caller.call, len(made), 0.5)
        for number in calls:
            async with _held(made, number, gateway):
                found[f"{number} calls in flight"] = resident(gateway.pid)
    number = min(connections, _descriptors() - _SPARE)
    async with _connections(fleet.folder / "identity", gateway, number):
        found[f"{number} connections"] = resident(gateway.pid)
    return found


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; those that it shares with others are among them."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _descriptors() -> int:
    """How many this process may have open: as many as it may allow itself."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


@asynccontextmanager
async def _held(made: Sequence[Caller], number: int, gateway: Gateway) -> AsyncIterator[None]:
    """So many calls in flight, that came a few at a time: all at once some would wait too long for OPA and be denied."""
    tasks: list[asyncio.Task[None]] = []
    try:
        for position, caller in zip(range(1, number + 1), cycle(made), strict=False):
            tasks.append(asyncio.create_task(caller.held()))
            if position % _TOGETHER == 0:
                await admin.in_flight(gateway, tasks)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await admin.in_flight(gateway, [])


@asynccontextmanager
async def _connections(identity: Path, gateway: Gateway, number: int) -> AsyncIterator[None]:
    """So many connections, each of which the gateway has answered."""
    security = _security(identity) if gateway.shape.tls else None
    async with AsyncExitStack() as stack:
        for _ in range(number):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", gateway.port, ssl=security, server_hostname="localhost" if security else None
            )
            stack.callback(writer.close)
            writer.write(_PREFACE)
            await reader.readexactly(9)
        yield


def _security(identity: Path) -> ssl.SSLContext:
    """Of a client that shows a certificate."""
    context = ssl.create_default_context(cafile=str(identity / "ca.crt"))
    context.load_cert_chain(identity / "developer.crt", identity / "developer.key")
    context.set_alpn_protocols(["h2"])
    return context
