"""Real sockets in virtual time: the clock jumps only when no socket is ready either."""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
import socket
from collections.abc import Callable, Coroutine
from typing import Any


class _PatientSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Sockets within one process are ready at once or not before something else happens."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return list(ready)
        if timeout is None:
            raise RuntimeError("nothing is left that could wake a task: the test would hang")
        self.now += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._patient = _PatientSelector()
        super().__init__(self._patient)

    def time(self) -> float:
        return self._patient.now


def with_sockets(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Decorates an async test: it runs in virtual time, and its sockets are real."""

    @functools.wraps(test)
    def sync(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=_Loop) as runner:
            runner.run(test(*args, **kwargs))

    del sync.__wrapped__  # type: ignore[attr-defined]  # else pytest-asyncio would run it on its own loop
    sync.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return sync


class Peer:
    """The other end of one of the proxy's sockets."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.socket, data)

    async def receive(self, count: int) -> bytes:
        """Exactly so many bytes, fewer at the end."""
        data = b""
        while len(data) < count and (piece := await self._loop.sock_recv(self.socket, count - len(data))):
            data += piece
        return data

    async def rest(self) -> bytes:
        """All until the end; what breaks is an end."""
        data = bytearray()
        try:
            while piece := await self._loop.sock_recv(self.socket, 65536):
                data += piece
        except OSError:
            pass
        return bytes(data)

    def finish(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()


def pair() -> tuple[socket.socket, Peer]:
    """The proxy's end, and the test's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, Peer(theirs)
