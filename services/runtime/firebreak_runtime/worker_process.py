"""The host's hold on one worker: how it starts and ends, and when it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

from firebreak_runtime import process
from firebreak_runtime.answers import EXIT_MEMORY
from firebreak_runtime.errors import ServedError, decode_error
from firebreak_runtime.exchange import Exchange
from firebreak_runtime.frames import CHUNK, Decoder, Frame, FrameError, Kind, encode
from firebreak_runtime.log import Log
from firebreak_runtime.output import Output
from firebreak_runtime.worker_calls import WorkerCalls
from firebreak_runtime.zygote_process import Forked

ALONE = 0.02
"""Seconds that a cancelled coroutine gets to end when nobody else is on its worker."""
PONG = 0.25
"""Seconds that an event loop with other calls on it gets to answer a ping."""
DRAIN = 5.0
"""Seconds that the neighbours of a call that does not end get to finish."""
STATUS = 0.3
"""Seconds that the zygote gets to report how a worker ended; it needs a few milliseconds unless both have no CPU to run on.
Without its report a call that died of memory is told that its process ended, which asks for another remedy."""


class State(Enum):
    """STARTING → READY → DRAINING (no new calls) → DYING (killed, or broken) → GONE (there is no such process)."""

    STARTING = 1
    READY = 2
    DRAINING = 3
    DYING = 4
    GONE = 5


class StartFailed(Exception):
    """The worker did not become ready; the text is the safe cause."""


class WorkerProcess(asyncio.Protocol):
    """One worker.

    `alone` says that it serves one call at a time and that a call is stopped by killing the process. `changed` is called
    when `state` changes. `started` ends with StartFailed where the object cannot start.
    """

    def __init__(
        self, service: str, forked: Forked, alone: bool, log: Log, changed: Callable[[WorkerProcess], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._service = service
        self._forked = forked
        self._alone = alone
        self._log = log
        self._changed = changed
        self._decoder = Decoder(CHUNK)
        self._pings = 0
        self._pongs = 0
        self._killed_at = 0.0
        self._killed = False
        self._transport: asyncio.WriteTransport | None = None
        self._output: Output | None = None
        self.calls = WorkerCalls(self._write, self._log_failure)
        self.state = State.STARTING
        self.missing: tuple[str, ...] = ()
        self.started: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(forked.pidfd, self._ended)

    @property
    def pid(self) -> int:
        return self._forked.pid

    @property
    def fell(self) -> bool:
        """Whether it ended on its own before it served anything."""
        return self.state is State.GONE and not self._killed and not self.calls.served

    def read_output(self, fd: int) -> None:
        """Takes over the pipe that the worker prints to."""
        self._output = Output(fd, lambda text: self._log.info("output", text=text, pid=self.pid))

    def begin(self, header: dict[str, Any], request: bytes) -> Exchange:
        """Sends one call. Raises ServedError if the process ended just now."""
        if self.state in (State.DYING, State.GONE):
            raise ServedError(
                "WORKER_DIED", "The process that was to run the call ended before it started. Call again."
            )
        return self.calls.begin(header, request)

    def abandon(self, exchange: Exchange) -> None:
        """Nobody waits for this call any more: it must stop. Nothing happens if it has ended."""
        if exchange not in self.calls or exchange.abandoned:
            return
        exchange.abandoned = True
        if self._alone:
            self.kill("its call was given up")
            return
        self._write(encode(Kind.CANCEL, exchange.number) + encode(Kind.PING))
        self._pings += 1
        self._loop.call_later(ALONE, self._still_there, exchange, self._pings, False)

    def drain(self, why: str) -> None:
        """No new calls; the process ends with its last one, or after DRAIN."""
        if self.state is State.READY:
            self._loop.call_later(DRAIN, self.kill, f"{why}; its other calls did not end in time")
            self._become(State.DRAINING)
        self._end_if_drained(why)

    def kill(self, why: str, error: ServedError | None = None) -> None:
        """Ends the process now. Its calls fail with `error`, else as lost."""
        if self.state in (State.DYING, State.GONE):
            return
        self._log.info("worker killed", why=why, pid=self.pid)
        self._killed = True
        self._die()
        self.calls.fail(error or self._lost("was stopped, because another call in it had to be"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        # A worker that closed its socket may live on, and a fork of a dead one holds it open: only the pidfd tells.
        if self.state not in (State.DYING, State.GONE):
            self._die()

    def data_received(self, data: bytes) -> None:
        if self.state in (State.DYING, State.GONE):
            return
        try:
            for frame in self._decoder.feed(data):
                self._received(frame)
        except (FrameError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            self._broken(str(error) if isinstance(error, FrameError) else type(error).__name__)

    def _received(self, frame: Frame) -> None:
        if frame.call:
            error = self.calls.received(frame)
            if error is not None and error.reason == "MEMORY_EXCEEDED":
                self.kill("it ran out of memory")
            self._end_if_drained("its calls have ended")
        elif frame.kind is Kind.PONG and self._pongs < self._pings:
            self._pongs += 1
        elif self.state is State.STARTING:
            self._start(frame)
        else:
            raise FrameError(f"a frame of kind {frame.kind.name} without a call")

    def _start(self, frame: Frame) -> None:
        """The first frame: READY, or the reason why not."""
        if frame.kind is Kind.ERROR:
            error, text = decode_error(frame.payload)
            self._log.error("worker cannot start", cause=error.message, text=text, pid=self.pid)
            self._not_started(error.message)
        elif frame.kind is Kind.READY:
            self.missing = tuple(str(name) for name in json.loads(frame.payload)["missing"])
            self.started.set_result(None)
            self._become(State.READY)
        else:
            raise FrameError(f"a frame of kind {frame.kind.name} before READY")

    def _broken(self, problem: str) -> None:
        self._log.error("worker broke the protocol", problem=problem, pid=self.pid)
        wrong = f"The process of {self._service} answered with bytes that make no sense, and was stopped."
        self.kill("it broke the protocol", ServedError("CONTRACT_VIOLATED", wrong, metadata={"target": self._service}))

    def _still_there(self, exchange: Exchange, ping: int, last: bool) -> None:
        """Time is up for a cancelled call: at once if it was alone on its worker, later for the sake of its neighbours."""
        if exchange not in self.calls:
            return
        if self.calls.wanted and not last:
            self._loop.call_later(PONG - ALONE, self._still_there, exchange, ping, True)
        elif self._pongs < ping:
            self.kill("its event loop is blocked")
        else:
            self.drain("a cancelled call does not end")

    def _end_if_drained(self, why: str) -> None:
        if self.state is State.DRAINING and not self.calls.wanted:
            self.kill(why)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _become(self, state: State) -> None:
        self.state = state
        self._changed(self)

    def _die(self) -> None:
        self._killed_at = self._loop.time()
        process.signal_pidfd(self._forked.pidfd)
        self._become(State.DYING)

    def _ended(self) -> None:
        """The process has ended; how it ended is reported by the zygote in a moment."""
        self._loop.remove_reader(self._forked.pidfd)
        self._loop.call_later(STATUS, self._bury)
        self._forked.status.add_done_callback(self._bury)

    def _bury(self, _status: asyncio.Future[int] | None = None) -> None:
        """Leaves nothing of a process that has ended."""
        if self.state is State.GONE:
            return
        self._read_rest()
        status = self._forked.status.result() if self._forked.status.done() else None
        how = process.describe_status(status) if status is not None else "unknown status"
        took = round((self._loop.time() - self._killed_at) * 1000, 1) if self.state is State.DYING else None
        self._log.info("worker ended", how=how, pid=self.pid, milliseconds=took)
        self._release()
        self.calls.fail(self._memory() if status == EXIT_MEMORY else self._lost(f"ended ({how})"))
        self._not_started(f"its process ended before it was ready ({how})")
        self._become(State.GONE)

    def _read_rest(self) -> None:
        """What it sent before it ended and nobody has read yet: it may say why. A few reads only, as a fork may never end."""
        if self._transport is None:
            return
        fd = self._transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            for _ in range(16):
                if self.state in (State.DYING, State.GONE) or not (data := os.read(fd, CHUNK)):
                    return
                self.data_received(data)

    def _release(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        if self._output is not None:
            self._output.close()
        os.close(self._forked.pidfd)

    def _not_started(self, cause: str) -> None:
        if not self.started.done():
            self.started.set_exception(StartFailed(cause))
            self.started.exception()  # marks it as seen: nobody may be waiting

    def _log_failure(self, error: ServedError, text: str) -> None:
        correlation = error.metadata.get("correlation_id", "")
        self._log.error("call failed", correlation_id=correlation, text=text, pid=self.pid)

    def _memory(self) -> ServedError:
        wrong = f"{self._service} needed more memory than it may use. Ask for less at once."
        return ServedError("MEMORY_EXCEEDED", wrong, metadata={"target": self._service})

    def _lost(self, how: str) -> ServedError:
        wrong = f"The process that ran the call {how}. Whether the call took effect is unknown."
        return ServedError("WORKER_DIED", wrong, metadata={"target": self._service})
