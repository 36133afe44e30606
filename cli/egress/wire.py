"""One end of a connection. Nothing is kept ahead of who reads: the kernel's buffers hold a fast sender back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

PIECE = 64 * 1024
"""Bytes that are held at most in each direction of a connection."""
Moved = Callable[[int], None]
"""Is told of bytes that were passed on."""


class Ended(Exception):
    """The other side ended before what was to come; `nothing` came at all."""

    def __init__(self, nothing: bool) -> None:
        super().__init__("ended")
        self.nothing = nothing


class TooLong(Exception):
    """What was to come is longer than it may be."""


class Wire:
    """Reads and writes a socket that does not block."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._early = b""

    async def until(self, mark: bytes, most: int) -> bytes:
        """All up to the end of `mark`, at most `most` bytes. Raises Ended, TooLong or OSError."""
        data, looked = bytearray(), 0
        while (end := data.find(mark, looked, most)) < 0:
            looked = max(0, len(data) - len(mark) + 1)
            if len(data) >= most:
                raise TooLong
            piece = await self.some()
            if not piece:
                raise Ended(nothing=not data)
            data += piece
        end += len(mark)
        self._early = bytes(data[end:])
        return bytes(data[:end])

    async def some(self, most: int = PIECE) -> bytes:
        """What there is next, b"" at the end. Raises OSError."""
        if self._early:
            piece, self._early = self._early[:most], self._early[most:]
            return piece
        return await self._loop.sock_recv(self._socket, most)

    async def send(self, data: bytes | memoryview) -> None:
        """Returns when the kernel has all of it. Raises OSError."""
        await self._loop.sock_sendall(self._socket, data)

    def finish(self) -> None:
        """Tells the other side that nothing more will come; it may still send."""
        with contextlib.suppress(OSError):  # it has gone already
            self._socket.shutdown(socket.SHUT_WR)

    async def pass_on(self, sink: Wire, moved: Moved) -> None:
        """All that comes, to `sink`, and its end too. What breaks is an end."""
        with contextlib.suppress(OSError):
            while self._early:
                await sink._sent(await self.some(), moved)
            buffer = memoryview(bytearray(PIECE))
            while count := await self._loop.sock_recv_into(self._socket, buffer):
                await sink._sent(buffer[:count], moved)
        sink.finish()

    async def _sent(self, data: bytes | memoryview, moved: Moved) -> None:
        await self.send(data)
        moved(len(data))
        # Neither call has waited where both sides are fast: the other connections must get their turn.
        await asyncio.sleep(0)
