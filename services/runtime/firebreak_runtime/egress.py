"""The way out of a network of its own: what connects to a port of loopback is passed to the socket of the egress proxy, which
judges it. Nothing here looks at what passes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress

PORT = 3128
"""Where the proxy is expected; any other port where this one is taken."""
CONNECTIONS = 128
_CHUNK = 16 * 1024
_GONE = "Firebreak egress: the egress proxy of this service is not running. It is started again by itself"
_ANSWER = "\r\n".join(
    (
        f"HTTP/1.1 503 {_GONE}",
        "Firebreak-Egress: failed",
        "Connection: close",
        f"Content-Length: {len(_GONE) + 1}",
        "",
        f"{_GONE}\n",
    )
)
"""As the proxy itself would say it: a connection that only breaks tells nobody why."""
_LINGER_SECONDS = 1.0
"""For a client that is still sending while it gets that: it must not find the connection broken before it reads."""


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
                try:
                    there, back = await asyncio.open_unix_connection(self._path, limit=_CHUNK)
                except OSError:
                    return await _refuse(reader, writer)
                writers.append(back)
                await _both(_copy(reader, back), _copy(there, writer))
        finally:
            for each in writers:
                each.transport.abort()


async def _both(*ways: Coroutine[None, None, None]) -> None:
    """Until both have ended, or one has failed. Raises OSError."""
    running = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.gather(*running)
    finally:
        for way in running:
            way.cancel()


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says that there is no proxy. Raises OSError where the client is gone."""
    writer.write(_ANSWER.encode())
    await writer.drain()
    writer.write_eof()
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_read_all(reader), _LINGER_SECONDS)


async def _read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(_CHUNK):
        pass


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on no faster than it is taken: nothing is left to be written when this returns. Raises OSError where a side is
    gone."""
    writer.transport.set_write_buffer_limits(0)
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
