"""Callers that no gRPC library would be: sockets on which HTTP/2 frames are written by hand, thousands in one process."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterable, Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS = 1, 4
_INITIAL_WINDOW = 4
_FRAME_HEADER = 9


class RawClient:
    """A connection to `address` ("host:port" or "unix:path") that has said hello; nothing is read unless `frames` is asked.

    `window` is how many bytes of an answer the other side may send before it is told that they were read, which never happens.
    Raises OSError when there is no connection.
    """

    def __init__(self, address: str, window: int = 65_535, *, hello: bool = True) -> None:
        self._socket = _connect(address)
        self._stream = -1
        self._unread = b""
        if hello:
            self._hello(window)

    def _hello(self, window: int) -> None:
        try:
            self.send(PREFACE + _frame(SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW, window)))
        except OSError:
            self.close()
            raise

    def begin(self, path: str, metadata: Iterable[tuple[str, str]] = (), timeout: str = "60S") -> None:
        """Begins a call of method `path` and sends none of its message; `timeout` is gRPC's, such as "20S"."""
        self._stream += 2
        fields = (
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
            ("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", timeout), *metadata,
        )  # fmt: skip
        block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)
        self.send(_frame(HEADERS, _END_HEADERS, self._stream, block))

    def say(self, message: bytes) -> None:
        """Sends the one message of the call that was begun last."""
        body = b"\x00" + struct.pack(">I", len(message)) + message
        self.send(_frame(DATA, _END_STREAM, self._stream, body))

    def trickle(self, data: bytes) -> None:
        """Sends a piece of that message."""
        self.send(_frame(DATA, 0, self._stream, data))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def frames(self, seconds: float) -> Iterator[int]:
        """The types of the frames that come, until the other side closes, or sends nothing for `seconds` (TimeoutError)."""
        while True:
            while len(self._unread) < _FRAME_HEADER or len(self._unread) < self._length():
                if not select.select([self._socket], [], [], seconds)[0]:
                    raise TimeoutError
                try:
                    data = self._socket.recv(65_536)
                except ConnectionError:
                    return
                if not data:
                    return
                self._unread += data
            kind, self._unread = self._unread[3], self._unread[self._length() :]
            yield kind

    def closed(self) -> bool:
        """Whether the other side has closed by now. Throws away what came."""
        try:
            for _ in self.frames(0.0):
                pass
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()

    def _length(self) -> int:
        return _FRAME_HEADER + int.from_bytes(self._unread[:3], "big")


def _connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(address.removeprefix("unix:"))
        except OSError:
            made.close()
            raise
        return made
    host, _, port = address.rpartition(":")
    made = socket.create_connection((host, int(port)), 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or a message waits until its headers are acknowledged
    return made


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + body


def _text(value: str) -> bytes:
    """A string of HPACK, not compressed."""
    data = value.encode()
    return _number(len(data)) + data


def _number(value: int) -> bytes:
    """An integer of HPACK with a prefix of seven bits."""
    if value < 127:
        return bytes((value,))
    made, value = bytearray((127,)), value - 127
    while value >= 128:
        made.append(value % 128 + 128)
        value //= 128
    made.append(value)
    return bytes(made)
