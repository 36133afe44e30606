"""Proves one target for as long as its service is up: before it is ready, again and again, and whenever policy changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.ports import Clock
from gateway.proof import Promise, Promises, Proof, first_of
from gateway.targets import State, Target

_log = logging.getLogger("firebreak.proof")

_AT_ONCE = 2
_JUDGED_AT_ONCE = 2
"""Targets of which policy is asked at the same time: when it has changed all of them ask, and callers still want decisions."""
_TURN = 1.0
"""Seconds after which the next one may begin: a service that hangs in its probe must not keep the others waiting."""
_SOON = 5.0
"""The longest pause in seconds while something is not as it must be, so that what was mended is in force again soon."""

PROVING = "its probes are being answered"

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Prover(Protocol):
    """Finds out what is true of a target. Its methods raise nothing."""

    @property
    def revision(self) -> str:
        """Of the policy in force."""
        ...

    async def denied(self, target: Target) -> Promises:
        """What policy must deny; costs policy's time only."""
        ...

    async def answered(self, target: Target) -> Promises:
        """What must be allowed and answered."""
        ...

    async def enclosed(self, target: Target) -> Promises:
        """What the walls around the service promise."""
        ...


@dataclass(frozen=True)
class Pace:
    """When targets are proven: each `every` seconds, some sooner and some later by `random` in [0, 1), two at a time.

    `retry` is the first pause in seconds before what failed is tried again. `count` learns of each promise that was tried.
    """

    every: float
    retry: float
    random: Callable[[], float]
    clock: Clock
    count: Callable[[str, Promise], None] = lambda _name, _promise: None
    judging: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_JUDGED_AT_ONCE))
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def pause(self, failures: int) -> float:
        """Seconds until the next proof, after so many in a row that were not all as it must be."""
        if not failures:
            return self.every * (0.75 + 0.5 * self.random())
        return min(self.retry * 2.0 ** min(failures - 1, 16), _SOON, self.every)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn, which is over at the block's end or after `_TURN` seconds."""
        await self._turns.acquire()
        mine = [self._turns]

        def end() -> None:
            if mine:
                mine.pop().release()

        over = asyncio.get_running_loop().call_later(_TURN, end)
        try:
            yield
        finally:
            over.cancel()
            end()


class Proving:
    """Keeps `target.proof` true while the service is up, and says by `tell` which state follows from it."""

    def __init__(
        self, target: Target, prover: Prover, pace: Pace, spawn: Spawn, tell: Callable[[State, str], None]
    ) -> None:
        self._target = target
        self._prover = prover
        self._pace = pace
        self._spawn = spawn
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._walls: Promises | None = None

    def begin(self) -> None:
        """The service is up, maybe as another process than before: what was proven of that counts no more."""
        self._walls = None
        self._start()

    def again(self) -> None:
        """Policy has changed: the probes are made at once. The walls do not hang on it."""
        if self._task is not None:
            self._start()

    def end(self) -> None:
        """The service is down."""
        if self._task is not None:
            self._task.cancel()
        self._task = None

    def _start(self) -> None:
        self.end()
        self._task = self._spawn(self._run())

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                sound = await self._prove()
            except Exception:
                _log.exception("proving %s failed", self._target.name)
                sound = False
            failures = 0 if sound else failures + 1
            await asyncio.sleep(self._pace.pause(failures))
            self._walls = None

    async def _prove(self) -> bool:
        """One whole proof; whether all is as it must be."""
        async with self._pace.judging:
            denied = await self._prover.denied(self._target)
        so_far = (self._target.proof or Proof((), 0.0)).with_(denied, self._pace.clock())
        if Proof(denied, 0.0).broken:
            # Said at once: until the probes that take a service's time are answered, callers could do what they must not.
            self._publish(so_far)
        async with self._pace.turn():
            answered = await self._prover.answered(self._target)
            if self._walls is None:
                self._walls = await self._prover.enclosed(self._target)
        proof = Proof((*denied, *answered, *self._walls), self._pace.clock())
        self._publish(proof)
        for promise in proof.promises:
            self._pace.count(self._target.name, promise)
        return not (proof.broken or proof.unknown)

    def _publish(self, proof: Proof) -> None:
        target = self._target
        for promise in proof.changes(target.proof):
            _log.info("%s: %s is %s. %s", target.name, promise.name, promise.verdict.value, promise.detail)
        target.proof = proof
        if proof.broken:
            self._tell(State.NOT_READY, first_of(proof.broken))
        elif not proof.unknown:
            self._tell(State.READY, "")
        elif target.state is not State.READY:  # what is ready stays so: a busy service is no broken one
            self._tell(target.state, f"{PROVING}: {first_of(proof.unknown)}")
