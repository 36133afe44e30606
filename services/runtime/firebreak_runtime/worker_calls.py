"""The calls that run on one worker, as the host sees them: frames in, exchanges out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firebreak_runtime.errors import ServedError, decode_error
from firebreak_runtime.exchange import Exchange
from firebreak_runtime.frames import Frame, FrameError, Kind, encode, encode_call

MOST_HELD = 64 * 1024**2
"""Bytes of unfinished messages that the host holds for one worker."""


class WorkerCalls:
    """Calls by number. `write` sends a frame to the worker, `log` takes a traceback that a worker sends for the log."""

    def __init__(self, write: Callable[[bytes], None], log: Callable[[ServedError, str], None]) -> None:
        self._write = write
        self._log = log
        self._open: dict[int, Exchange] = {}
        self._last = 0

    @property
    def served(self) -> int:
        """Calls so far."""
        return self._last

    @property
    def any(self) -> bool:
        return bool(self._open)

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for one of the calls."""
        return any(not exchange.abandoned for exchange in self._open.values())

    def __contains__(self, exchange: object) -> bool:
        return isinstance(exchange, Exchange) and self._open.get(exchange.number) is exchange

    def begin(self, header: dict[str, Any], request: bytes) -> Exchange:
        """Sends a call to the worker."""
        frame = encode_call(self._last + 1, header, request)
        self._last += 1
        number = self._last

        def grant(frames: int) -> None:
            self._write(encode(Kind.CREDIT, number, frames.to_bytes(4, "big")))

        self._open[number] = Exchange(number, grant)
        self._write(frame)
        return self._open[number]

    def received(self, frame: Frame) -> ServedError | None:
        """Takes a frame about a call; returns the error that it ends the call with, if it does.

        Raises FrameError, or whatever decoding raises, if the frame makes no sense.
        """
        exchange = self._open.get(frame.call)
        if exchange is None:
            raise FrameError(f"a frame of kind {frame.kind.name} for a call that is not open")
        if frame.kind is Kind.PART:
            exchange.part(frame.payload)
            if sum(each.held for each in self._open.values()) > MOST_HELD:
                raise FrameError(f"more than {MOST_HELD} bytes of messages without an end")
        elif frame.kind is Kind.EVENT:
            exchange.message(frame.payload)
        elif frame.kind is Kind.RESULT:
            self._end(exchange, None)
        elif frame.kind is Kind.ERROR:
            error, text = decode_error(frame.payload)
            if text:
                self._log(error, text)
            self._end(exchange, error)
            return error
        else:
            raise FrameError(f"a frame of kind {frame.kind.name} from a worker")
        return None

    def fail(self, error: ServedError) -> None:
        """Ends every call."""
        exchanges = list(self._open.values())
        self._open.clear()
        for exchange in exchanges:
            exchange.fail(error)

    def _end(self, exchange: Exchange, error: ServedError | None) -> None:
        del self._open[exchange.number]
        exchange.finish(error)
