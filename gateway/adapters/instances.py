"""Where names lead, so that instances that were added get calls: gRPC looks a name up again only when a connection ends."""

from __future__ import annotations

import asyncio
import socket

_SECONDS = 3.0
"""How long one look-up may take; the next one has another chance."""


class Instances:
    """Remembers the addresses of each name; of the event loop in which it is used."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[str]] = {}

    async def added(self, endpoint: str) -> bool:
        """Whether "host:port" leads to an address to which it did not lead when this was last asked.

        The first time: whether it leads to several, as nobody knows which of them a connection has found. False where the name
        is not known now.
        """
        host, port = endpoint.rsplit(":", 1)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_SECONDS):
                found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        except (OSError, TimeoutError):
            return False
        addresses = frozenset(str(each[4][0]) for each in found)
        known, self._known[endpoint] = self._known.get(endpoint), addresses
        return len(addresses) > 1 if known is None else bool(addresses - known)
