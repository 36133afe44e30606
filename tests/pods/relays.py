"""Connections carried from one network to another, or to the next pod of a Service, as kube-proxy has it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

Connect = Callable[[], socket.socket]
"""Makes the way on for one connection. Raises OSError."""


class Relays:
    """Each connection that a listening socket takes goes on to where `connect` leads then, and stays there."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def add(self, listening: socket.socket, connect: Connect) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(listening, connect), self._loop).result(10)

    def close(self) -> None:
        """Every connection breaks."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self, listening: socket.socket, connect: Connect) -> None:
        self._servers.append(await asyncio.start_server(lambda *ends: _carry(connect, *ends), sock=listening))

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_default_executor()


async def _carry(connect: Connect, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
        there, back = await asyncio.open_connection(sock=await asyncio.to_thread(connect))
        with contextlib.closing(back):
            ways = [asyncio.ensure_future(_copy(*way)) for way in ((reader, back), (there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
