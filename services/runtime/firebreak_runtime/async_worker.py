"""A worker for objects with coroutines: many calls on one event loop."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import cast

from firebreak_runtime import context
from firebreak_runtime.answers import EXIT_MEMORY, message_frames, open_call
from firebreak_runtime.cause import failure
from firebreak_runtime.errors import ServedError, encode_error
from firebreak_runtime.frames import CREDITS, MAX_CALL, Decoder, Frame, Kind, encode
from firebreak_runtime.served import Served
from firebreak_runtime.service_file import ServiceFile


async def serve_async(sock: socket.socket, served: Served, service: ServiceFile, ready: bytes) -> None:
    """Sends `ready`, then serves calls; the process ends when the host closes the socket."""
    sock.setblocking(False)
    worker = AsyncWorker(served, service)
    await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=sock)
    worker.send(ready)
    await asyncio.Event().wait()


class AsyncWorker(asyncio.Protocol):
    """The worker's end of the socket: starts, cancels and answers calls."""

    def __init__(self, served: Served, service: ServiceFile) -> None:
        self._served = served
        self._service = service
        self._decoder = Decoder(MAX_CALL)
        self._calls: dict[int, _Call] = {}
        self._transport: asyncio.WriteTransport | None = None
        self._pid = os.getpid()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        os._exit(0)  # nobody is left to answer, and no task may delay the end

    def data_received(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self._received(frame)

    def send(self, frame: bytes) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # a copy that foreign code forked must not answer for this worker
        assert self._transport is not None
        self._transport.write(frame)

    def _received(self, frame: Frame) -> None:
        if frame.kind is Kind.CALL:
            self._start(frame)
        elif frame.kind is Kind.PING:
            self.send(encode(Kind.PONG))
        elif frame.call in self._calls:
            self._calls[frame.call].received(frame)

    def _start(self, frame: Frame) -> None:
        call = _Call(frame.call, self)
        self._calls[frame.call] = call
        call.task = asyncio.get_running_loop().create_task(self._run(call, frame.payload))
        # Not in the coroutine: one that is cancelled before its first step never runs.
        call.task.add_done_callback(lambda task: self._ended(call, task))

    async def _run(self, call: _Call, payload: bytes) -> None:
        method, about, request = open_call(payload)
        context.current.set(about)
        try:
            await self._served.acall(method, request, call.emit)
        except (SystemExit, KeyboardInterrupt) as error:  # ends the call; asyncio would end the worker
            raise RuntimeError("the object asked its process to exit") from error

    def _ended(self, call: _Call, task: asyncio.Task[None]) -> None:
        call.open = False
        del self._calls[call.id]
        self.send(self._ending(call.id, task))

    def _ending(self, number: int, task: asyncio.Task[None]) -> bytes:
        if task.cancelled():
            return encode(Kind.ERROR, number, encode_error(ServedError("CANCELLED", "The call was cancelled.")))
        error = task.exception()
        if error is None:
            return encode(Kind.RESULT, number)
        if isinstance(error, MemoryError):
            os._exit(EXIT_MEMORY)
        return encode(Kind.ERROR, number, encode_error(*failure(error, self._service)))


class _Call:
    """One call in flight: its task, and how many frames it may still send."""

    def __init__(self, number: int, worker: AsyncWorker) -> None:
        self.id = number
        self.open = True
        self.task: asyncio.Task[None] | None = None
        self._worker = worker
        self._credits = CREDITS
        self._credited = asyncio.Event()
        self._emitting = asyncio.Lock()

    def received(self, frame: Frame) -> None:
        if frame.kind is Kind.CANCEL and self.task is not None:
            self.task.cancel()
        elif frame.kind is Kind.CREDIT:
            self._credits += int.from_bytes(frame.payload, "big")
            self._credited.set()

    async def emit(self, message: bytes) -> None:
        """Sends one response message; waits while the caller reads slowly."""
        async with self._emitting:
            for frame in message_frames(self.id, message):
                while self._credits == 0:
                    self._credited.clear()
                    await self._credited.wait()
                if not self.open:
                    raise RuntimeError("the call that this event belongs to has ended")
                self._credits -= 1
                self._worker.send(frame)
