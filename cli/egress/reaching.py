"""Finds and connects to the very addresses that were judged: nothing is looked up a second time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from cli.egress.allow import Entry, Target, check
from cli.egress.answers import Answered
from cli.egress.hosts import is_address

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A name and a port to addresses, in the order in which they are to be tried. Raises OSError."""
Connect = Callable[[str, int], Awaitable[socket.socket]]
"""Raises OSError."""


async def connect(address: str, port: int) -> socket.socket:
    """A connection over TCP."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def resolve(host: str, port: int) -> list[str]:
    """By the system's resolver, in a thread that the process does not wait for when it ends: a lookup cannot be stopped."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def look_up() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_tell, found, _look_up(host, port))

    threading.Thread(target=look_up, daemon=True).start()
    return await found


def _look_up(host: str, port: int) -> list[str] | OSError:
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return OSError(str(error))
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _tell(found: asyncio.Future[list[str]], answer: list[str] | OSError) -> None:
    if found.done():
        return
    if isinstance(answer, OSError):
        found.set_exception(answer)
    else:
        found.set_result(answer)


@dataclass
class Reaching:
    """Of one service. `seconds` are for looking up and connecting together; `lookups` bounds those at the same time."""

    resolve: Resolve
    connect: Connect
    seconds: float
    lookups: int
    _free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.lookups)

    async def __call__(self, target: Target, entry: Entry) -> socket.socket:
        """A connection to `target`. Raises Answered: 403 for an address that `entry` does not let through, 502, 504."""
        try:
            async with asyncio.timeout(self.seconds):
                addresses = await self._addresses(target)
                check(addresses, entry, target)
                return await self._first(addresses, target)
        except TimeoutError:
            raise Answered(504, f"{target.place} was not reached within {self.seconds:g} s") from None

    async def _addresses(self, target: Target) -> Sequence[str]:
        if is_address(target.host):
            return [target.host]
        await self._free.acquire()
        looking = asyncio.ensure_future(self.resolve(target.host, target.port))
        looking.add_done_callback(self._looked_up)  # not sooner: its thread goes on when nobody waits any more
        try:
            addresses = await asyncio.shield(looking)
        except OSError:
            addresses = []
        if not addresses:
            raise Answered(502, f"the name {target.host} is not known")
        return addresses

    def _looked_up(self, looking: asyncio.Future[Sequence[str]]) -> None:
        self._free.release()
        if not looking.cancelled():
            looking.exception()  # seen, so that asyncio does not complain of it

    async def _first(self, addresses: Sequence[str], target: Target) -> socket.socket:
        """Connects to the first that answers; none may take the others' time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.seconds
        late = False
        for number, address in enumerate(addresses):
            try:
                async with asyncio.timeout((until - loop.time()) / (len(addresses) - number)):
                    return await self.connect(address, target.port)
            except OSError as error:
                late = isinstance(error, TimeoutError)
        if late:
            raise TimeoutError
        raise Answered(502, f"{target.place} cannot be connected to")
