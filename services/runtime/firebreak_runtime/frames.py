"""The frames between host and worker: u32 payload length, u8 kind, u32 call id, payload; big-endian, on a stream socket."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

HEADER = struct.Struct("!IBI")
CHUNK = 64 * 1024
"""Most bytes of payload in one frame from a worker; a longer message is split into PART frames and a last EVENT."""
MAX_MESSAGE = 16 * 1024**2
"""Most bytes of one request or response message."""
MAX_CALL = MAX_MESSAGE + CHUNK
"""Most bytes of payload in one frame to a worker: a request and its header."""
CREDITS = 32
"""Frames of a call that a worker may send beyond those that the host has granted again."""
GRANT = 16
"""The host grants this many at once."""

_CALL_HEADER = struct.Struct("!H")


class Kind(IntEnum):
    """What a frame is for. CALL, CANCEL, CREDIT and PING go to the worker, the others come from it; PONG answers PING."""

    CALL = 1
    CANCEL = 2
    CREDIT = 3
    PING = 4
    READY = 5
    EVENT = 6
    RESULT = 7
    ERROR = 8
    PONG = 9
    PART = 10


class FrameError(Exception):
    """The other side broke the protocol; nothing after this can be trusted."""


@dataclass(frozen=True)
class Frame:
    """One frame; `call` is 0 where it is about the worker and not about one call."""

    kind: Kind
    call: int
    payload: bytes = b""


def encode(kind: Kind, call: int = 0, payload: bytes = b"") -> bytes:
    return HEADER.pack(len(payload), kind, call) + payload


def encode_call(call: int, header: dict[str, Any], request: bytes) -> bytes:
    """A CALL frame: u16 length of the JSON `header`, the header, the request's bytes."""
    text = orjson.dumps(header)
    if len(text) > 0xFFFF:
        raise FrameError("the header of a call is at most 64 KiB")
    return encode(Kind.CALL, call, _CALL_HEADER.pack(len(text)) + text + request)


def decode_call(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and request of a CALL frame's payload. The host is trusted: its header is not checked further."""
    (length,) = _CALL_HEADER.unpack_from(payload)
    start = _CALL_HEADER.size + length
    return orjson.loads(payload[_CALL_HEADER.size : start]), payload[start:]


def encode_message(call: int, message: bytes) -> Iterator[bytes]:
    """The frames that carry one response message."""
    last = max(0, (len(message) - 1) // CHUNK)
    for index in range(last + 1):
        kind = Kind.EVENT if index == last else Kind.PART
        yield encode(kind, call, message[index * CHUNK : (index + 1) * CHUNK])


class Decoder:
    """Cuts a byte stream into frames. `limit` bounds a payload: a longer one is refused by its header alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every frame that `data` completes. Raises FrameError at an unknown kind or a length beyond the limit."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= HEADER.size:
                length, kind, call = HEADER.unpack_from(self._buffer, start)
                self._check(length, kind)
                end = start + HEADER.size + length
                if len(self._buffer) < end:
                    break
                payload = bytes(self._buffer[start + HEADER.size : end])
                start = end
                yield Frame(Kind(kind), call, payload)
        finally:
            del self._buffer[:start]

    def _check(self, length: int, kind: int) -> None:
        if length > self._limit:
            raise FrameError(f"a frame of {length} bytes, at most {self._limit} are taken")
        if not Kind.CALL <= kind <= Kind.PART:
            raise FrameError(f"a frame of unknown kind {kind}")
