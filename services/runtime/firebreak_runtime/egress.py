"""The way out of a network of its own: what connects to a port of loopback is passed to the socket of the egress proxy, which
judges it. Nothing here looks at what passes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

PORT = 3128
"""Where the proxy is expected; any other port where this one is taken."""
CONNECTIONS = 128
_CHUNK = 16 * 1024


def listening(port: int = PORT) -> socket.socket:
    """A socket that listens on loopback, at another port if this one is taken. Raises OSError."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=CONNECTIONS)
    except OSError:
        if port == 0:
            raise
        return listening(0)


class Forwarder:
    """Passes connections of `sock` to the Unix socket at `path`; more than CONNECTIONS at once are closed. Without `sock` there
    is no way out."""

    def __init__(self, sock: socket.socket | None, path: str) -> None:
        self._sock = sock
        self._path = path
        self._passing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is cancelled; then nothing passes any more."""
        server = await asyncio.start_server(self._accept, sock=self._sock, limit=_CHUNK) if self._sock else None
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if server is not None:
                server.close()
            for task in self._passing:
                task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._passing) >= CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.ensure_future(self._pass(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both directions, each until its own end: who has said all may still be answered."""
        writers = [writer]
        try:
            with suppress(OSError):
                there, back = await asyncio.open_unix_connection(self._path, limit=_CHUNK)
                writers.append(back)
                ways = [asyncio.ensure_future(_copy(reader, back)), asyncio.ensure_future(_copy(there, writer))]
                try:
                    await asyncio.gather(*ways)
                finally:
                    for way in ways:
                        way.cancel()
        finally:
            for each in writers:
                each.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on no faster than it is taken: nothing is left to be written when this returns. Raises OSError where a side is
    gone."""
    writer.transport.set_write_buffer_limits(0)
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
