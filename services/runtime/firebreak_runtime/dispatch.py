"""One call's way through the host: judged, given to a worker, bounded by its deadline, and its answer checked."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from firebreak_runtime.checks import Checks
from firebreak_runtime.errors import ServedError
from firebreak_runtime.exchange import Exchange
from firebreak_runtime.log import Log
from firebreak_runtime.methods import AnswerError, Method
from firebreak_runtime.once import Once, Progress
from firebreak_runtime.pace import Pace
from firebreak_runtime.pool import Place, Pool
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.worker_process import WorkerProcess

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Incoming:
    """A call as it came in. `deadline` is in seconds of the event loop's clock, which is CLOCK_MONOTONIC."""

    method: Method
    request: bytes
    deadline: float
    session: str = ""
    traceparent: str = ""
    call_id: str = ""

    def header(self) -> dict[str, Any]:
        """What the worker is told beside the request."""
        return {
            "method": self.method.name,
            "deadline": self.deadline,
            "session": self.session,
            "traceparent": self.traceparent,
            "call_id": self.call_id,
        }


class Dispatch:
    """Runs calls of one loaded service."""

    def __init__(self, service: ServiceFile, pool: Pool[WorkerProcess], checks: Checks, once: Once, log: Log) -> None:
        self._service = service
        self._pool = pool
        self._checks = checks
        self._once = once
        self._log = log

    async def run(self, incoming: Incoming, send: Send) -> None:
        """Hands each message of the answer to `send`. Raises ServedError. Cancelling stops the call in its worker."""
        asked = self._checks.request(incoming.method, incoming.request)
        key = asked.idempotency_key if self._service.effect == "MUTATING" else ""
        if not key:
            await self._execute(incoming, Progress(), send)
            return
        same = hashlib.sha256(
            b"\0".join((incoming.method.name.encode(), asked.args_json, asked.injected_json))
        ).digest()
        await self._once.run(key, same, partial(self._execute, incoming), send)

    async def _execute(self, incoming: Incoming, progress: Progress, send: Send) -> None:
        run = _Run(incoming.deadline, self._pool.ask(), self._too_late)
        try:
            exchange = await run.begin(incoming)
            progress.started = True
            await self._pass_on(incoming.method, exchange, send)
        finally:
            progress.answered = run.end()
            if not self._service.reuse:
                run.retire()
            self._pool.give_back(run.place)

    async def _pass_on(self, method: Method, exchange: Exchange, send: Send) -> None:
        check = self._checks.answer(method)
        loop = asyncio.get_running_loop()
        pace = Pace(loop.time())
        try:
            while (message := await exchange.next()) is not None:
                check.message(message)
                await send(message)
                if not check.complete and (pause := pace.passed(loop.time())):
                    await asyncio.sleep(pause)
            check.end()
        except AnswerError as error:
            self._log.error("answer breaks the contract", problem=str(error))
            wrong = f"{self._service.name} broke the contract: {error}."
            raise ServedError("CONTRACT_VIOLATED", wrong, metadata={"target": self._service.name}) from None

    def _too_late(self) -> ServedError:
        wrong = f"{self._service.name} did not answer before the deadline. Allow more time or ask for less."
        return ServedError("DEADLINE_EXCEEDED", wrong, metadata={"target": self._service.name})


class _Run:
    """One call under its timer: waiting for a worker first, then on it."""

    def __init__(self, deadline: float, place: Place[WorkerProcess], too_late: Callable[[], ServedError]) -> None:
        self.place = place
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._too_late = too_late
        self._on: tuple[WorkerProcess, Exchange] | None = None
        self._timer = self._loop.call_at(deadline, self._expire)

    async def begin(self, incoming: Incoming) -> Exchange:
        """Waits for a worker and sends it the call. Raises ServedError."""
        worker = await self.place.worker
        if self._loop.time() >= self._deadline:
            raise self._too_late()
        exchange = worker.begin(incoming.header(), incoming.request)
        self._on = worker, exchange
        return exchange

    def end(self) -> bool:
        """Stops the call if it runs on. Whether the worker itself ended it."""
        self._timer.cancel()
        if self._on is None:
            return False
        worker, exchange = self._on
        worker.abandon(exchange)
        return exchange.answered

    def retire(self) -> None:
        """Ends the worker: nothing that this call left in it is there for the next."""
        if self._on is not None:
            self._on[0].drain("it has served its one call")

    def _expire(self) -> None:
        """The caller gets the error first; to stop the worker takes longer."""
        if self._on is not None:
            worker, exchange = self._on
            exchange.fail(self._too_late())
            worker.abandon(exchange)
        elif not self.place.worker.done():
            self.place.worker.set_exception(self._too_late())
