"""A worker for objects without coroutines: one call at a time on a plain blocking socket, nothing in between."""

from __future__ import annotations

import os
import socket
from collections import deque
from functools import partial
from threading import Lock
from typing import NoReturn

from firebreak_runtime import context
from firebreak_runtime.answers import HostGone, message_frames, open_call
from firebreak_runtime.cause import failure
from firebreak_runtime.errors import encode_error
from firebreak_runtime.frames import CHUNK, CREDITS, MAX_CALL, Decoder, Frame, Kind, encode
from firebreak_runtime.served import Served
from firebreak_runtime.service_file import ServiceFile


class SyncWorker:
    """Serves calls one after the other. Nothing here handles a cancellation: the host kills the process instead."""

    def __init__(self, sock: socket.socket, served: Served, service: ServiceFile) -> None:
        self._sock = sock
        self._served = served
        self._service = service
        self._decoder = Decoder(MAX_CALL)
        self._frames: deque[Frame] = deque()
        self._emitting = Lock()
        self._call = 0
        self._credits = 0
        self._pid = os.getpid()

    def serve(self, ready: bytes) -> NoReturn:
        """Sends `ready`, then answers calls. Raises HostGone when the host closes the socket."""
        self._send(ready)
        while True:
            frame = self._next()
            if frame.kind is Kind.CALL:
                self._send(self._answer(frame))
            elif frame.kind is Kind.PING:
                self._send(encode(Kind.PONG))

    def _next(self) -> Frame:
        self._end_copies()
        while not self._frames:
            try:
                data = self._sock.recv(CHUNK)
            except ConnectionError:
                raise HostGone from None
            if not data:
                raise HostGone
            self._frames.extend(self._decoder.feed(data))
        return self._frames.popleft()

    def _send(self, frame: bytes) -> None:
        self._end_copies()
        try:
            self._sock.sendall(frame)
        except ConnectionError:
            raise HostGone from None

    def _answer(self, frame: Frame) -> bytes:
        """Runs one call; returns the frame that ends it."""
        method, about, request = open_call(frame.payload)
        self._call, self._credits = frame.call, CREDITS
        token = context.current.set(about)
        try:
            self._served.call(method, request, partial(self._emit, frame.call))
        except (MemoryError, HostGone):
            raise
        except BaseException as error:  # sys.exit in a tool ends the call, not the worker
            return encode(Kind.ERROR, frame.call, encode_error(*failure(error, self._service)))
        finally:
            context.current.reset(token)
            self._call = 0
        return encode(Kind.RESULT, frame.call)

    def _end_copies(self) -> None:
        """A tool that forked must neither answer twice nor take what is meant for its original."""
        if os.getpid() != self._pid:
            os._exit(0)

    def _emit(self, call: int, message: bytes) -> None:
        """Sends one response message; waits while the caller reads slowly. Any thread of the tool may call it."""
        with self._emitting:
            for frame in message_frames(call, message):
                if call != self._call:
                    raise RuntimeError("the call that this event belongs to has ended")
                while self._credits == 0:
                    self._take_credit()
                self._credits -= 1
                self._send(frame)

    def _take_credit(self) -> None:
        frame = self._next()
        if frame.kind is Kind.CREDIT and frame.call == self._call:
            self._credits += int.from_bytes(frame.payload, "big")
