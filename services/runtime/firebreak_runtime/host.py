"""The host of one service: keeps it loaded, says whether it is ready and why not, and passes calls to it. It holds no
user code and never imports a framework."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from firebreak_runtime import process
from firebreak_runtime.checks import check_target
from firebreak_runtime.dispatch import Incoming, Send
from firebreak_runtime.errors import ServedError
from firebreak_runtime.generation import Generation, Surroundings
from firebreak_runtime.log import Log
from firebreak_runtime.once import Once
from firebreak_runtime.zygote_process import LoadFailed

BACKOFF = 0.25
MOST_BACKOFF = 60.0
STABLE = 30.0
"""Seconds after which a service that ends counts as one that ran well: it is started again without delay."""
SWEEP = 1.0
STARTING = "the service is starting"


class Host:
    """Runs generations of the service, one after the other. `health` is told whether calls can be served."""

    def __init__(self, around: Surroundings, log: Log, health: Callable[[bool], None]) -> None:
        self._around = around
        self._log = log
        self._health = health
        self._once = Once(around.service.name)
        self._generation: Generation | None = None
        self._loaded = False
        self._ready = False
        self.cause = STARTING
        """Why the service is not ready, in one line that is safe to show; "" when it is."""
        self.spared: set[int] = set()
        """Process ids of children that others have started and end themselves: not to be swept."""

    async def run(self) -> None:
        """Until it is cancelled. Nothing that it started is left then."""
        process.adopt_orphans()
        sweeping = asyncio.ensure_future(self._sweep())
        delay = BACKOFF
        try:
            while True:
                started = asyncio.get_running_loop().time()
                await self._live()
                stable = asyncio.get_running_loop().time() - started > STABLE
                delay = BACKOFF if stable else min(MOST_BACKOFF, delay * 2)
                self._log.warning("service is down", cause=self.cause, next_start_in_seconds=delay)
                await asyncio.sleep(delay)
        finally:
            sweeping.cancel()
            await self._bury_all()

    async def load_once(self) -> bytes:
        """Loads the service, returns its Describe response and ends it again. Raises LoadFailed."""
        generation = Generation(self._around, self._once, self._log, lambda: None)
        try:
            await generation.load()
            return generation.description
        finally:
            await generation.stop(self._not_ready())

    def describe(self, target: str) -> bytes:
        """The serialized Describe response. Raises ServedError while the service is not loaded, and for any other `target`."""
        check_target(self._around.service, target)
        if self._generation is None or not self._loaded:
            raise self._not_ready()
        return self._generation.description

    async def call(self, incoming: Incoming, send: Send) -> None:
        """Serves one call. Raises ServedError."""
        generation = self._generation
        if generation is None or generation.dispatch is None or self.cause:
            raise self._not_ready()
        await generation.dispatch.run(incoming, send)

    async def _live(self) -> None:
        """One generation from start to end; `cause` says why it ended."""
        generation = Generation(self._around, self._once, self._log, self._look)
        self._generation = generation
        try:
            await generation.load()
            self._loaded = True
            self._look()
            self.cause = f"its zygote ended ({await generation.ended()}) and is started again"
        except LoadFailed as error:
            self.cause = str(error)
        except asyncio.CancelledError:
            self.cause = "the service is stopping"
            raise
        finally:
            self._loaded = False
            self._look()
            await generation.stop(self._not_ready())

    def _look(self) -> None:
        """Sets `cause` and health by what is true now."""
        generation = self._generation
        if generation is not None and self._loaded:
            if generation.ready:
                self.cause = ""
            elif generation.cause:
                self.cause = generation.cause
        ready = self._loaded and not self.cause
        if ready != self._ready:
            self._ready = ready
            self._log.info("ready" if ready else "not ready", cause=self.cause)
            self._health(ready)

    def _not_ready(self) -> ServedError:
        name, cause = self._around.service.name, self.cause
        wrong = f"{name} is not ready: {cause}."
        # Only what went wrong is a cause: whoever waits for a service that starts must not take that for a failure.
        metadata = {"target": name} | ({} if cause == STARTING else {"cause": cause})
        return ServedError("TARGET_NOT_READY", wrong, metadata=metadata)

    async def _sweep(self) -> None:
        """Ends what a zygote that was killed could not end."""
        while True:
            self._sweep_once()
            await asyncio.sleep(SWEEP)

    def _sweep_once(self) -> int:
        return process.sweep({*self.spared, *((self._generation.pid,) if self._generation is not None else ())})

    async def _bury_all(self) -> None:
        self._generation = None
        self.spared.clear()
        while self._sweep_once():  # noqa: ASYNC110 — no signal tells when the last one is gone
            await asyncio.sleep(0.001)
