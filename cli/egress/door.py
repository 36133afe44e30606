"""The socket of one service: takes its connections in, and no more than it may have."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from cli.egress.allow import Entry
from cli.egress.answers import Answered
from cli.egress.bounds import Bounds
from cli.egress.connection import Connection, Reach
from cli.egress.record import Record, Say
from gateway.core.token_bucket import TokenBucket

NAME = "egress.sock"
_BACKLOG = 128
_NO_DESCRIPTORS = 0.1
"""Seconds until it is tried again to take a connection in for which there was no descriptor."""


def listen(folder: Path) -> socket.socket:
    """A socket in `folder`, which is made for this user alone where it is missing.

    One that was there before is replaced in one step. The folder stays the same: it may be mounted somewhere already.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        draft = f".{secrets.token_hex(4)}"
        sock.bind(f"/proc/self/fd/{inside}/{draft}")  # however long the folder's path is
        sock.listen(_BACKLOG)
        os.rename(draft, NAME, src_dir_fd=inside, dst_dir_fd=inside)
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(inside)
    return sock


class Door:
    """Serves connections to `listener` by the entries last given to `allow`. `run` ends by being cancelled."""

    def __init__(self, service: str, listener: socket.socket, reach: Reach, bounds: Bounds, say: Say) -> None:
        self._service = service
        self._listener = listener
        self._reach = reach
        self._bounds = bounds
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(bounds.per_second, bounds.burst, self._loop.time())
        self._entries: Sequence[Entry] = ()
        self._open: dict[asyncio.Task[None], Connection] = {}

    @property
    def serving(self) -> list[asyncio.Task[None]]:
        """The connections that are open, each a task that ends with it."""
        return list(self._open)

    def allow(self, entries: Sequence[Entry]) -> None:
        """From now on; what was let through by an entry that is not there any more is cut off."""
        self._entries = entries
        for task, connection in self._open.items():
            if connection.entry is not None and connection.entry not in entries:
                connection.record.ended("it is not on the list any more")
                task.cancel()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    client = await self._next()
                    record = Record(self._service, self._loop.time())
                    if len(self._open) < self._bounds.connections:
                        self._take(client, record, tasks)
                    else:
                        self._turn_away(client, record)
        finally:
            self._listener.close()

    async def _next(self) -> socket.socket:
        await asyncio.sleep(self._bucket.wait(self._loop.time()))
        self._bucket.charge(1, self._loop.time())
        while True:
            try:
                return (await self._loop.sock_accept(self._listener))[0]
            except OSError:
                await asyncio.sleep(_NO_DESCRIPTORS)

    def _take(self, client: socket.socket, record: Record, tasks: asyncio.TaskGroup) -> None:
        connection = Connection(client, record, lambda: self._entries, self._reach, self._bounds)
        task = tasks.create_task(self._serve(connection))
        self._open[task] = connection

        def ended(task: asyncio.Task[None]) -> None:
            # Here and not in the task, which does not even begin when it is cancelled at once.
            del self._open[task]
            client.close()
            self._say(record.line(self._loop.time()))

        task.add_done_callback(ended)

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.run()
        except Exception as error:  # a fault of the proxy itself must end nothing but this connection
            connection.record.ended(f"the proxy itself failed: {type(error).__name__}")

    def _turn_away(self, client: socket.socket, record: Record) -> None:
        answer = Answered(503, f"this service has {self._bounds.connections} connections already")
        record.ended(answer.reason, answer.verdict)
        with client, contextlib.suppress(OSError):
            client.setblocking(False)
            client.send(answer.encoded())
        self._say(record.line(self._loop.time()))
