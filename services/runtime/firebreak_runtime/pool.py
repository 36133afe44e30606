"""Which worker takes which call: so many at once, so many waiting, and warm workers kept in reserve."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from firebreak_runtime.errors import ServedError
from firebreak_runtime.log import Log
from firebreak_runtime.worker_process import StartFailed, State

BACKOFF = 0.05
MOST_BACKOFF = 5.0
RECYCLE = 2.0
MOST_RECYCLE = 30.0


class PoolWorker(Protocol):
    """What the pool knows of a worker."""

    @property
    def state(self) -> State: ...

    @property
    def missing(self) -> tuple[str, ...]: ...

    @property
    def fell(self) -> bool: ...

    def drain(self, why: str) -> None: ...

    def kill(self, why: str) -> None: ...


W = TypeVar("W", bound=PoolWorker)
Spawn = Callable[[Callable[[W], None]], Awaitable[W]]
"""Makes a ready worker that tells the given function when its state changes. Raises StartFailed."""


class Place(Generic[W]):
    """A call's claim to a worker: `worker` is given at once or later, or never if the call gives up."""

    def __init__(self) -> None:
        self.worker: asyncio.Future[W] = asyncio.get_running_loop().create_future()


@dataclass(frozen=True)
class PoolSize:
    """`workers` + `spare` processes are kept, at most `workers` × `calls` calls run on them, `queue` more wait in order."""

    workers: int
    spare: int
    queue: int
    calls: int


class Pool(Generic[W]):
    """Workers and the calls that wait for them.

    `changed` is called when `cause` or `ready` may have changed. `sleep` waits so many seconds.
    """

    def __init__(
        self,
        *,
        size: PoolSize,
        spawn: Spawn[W],
        sleep: Callable[[float], Awaitable[None]],
        changed: Callable[[], None],
        log: Log,
    ) -> None:
        self._size = size
        self._wanted = size.workers + size.spare
        self._spawn = spawn
        self._sleep = sleep
        self._changed = changed
        self._log = log
        self._load: dict[W, int] = {}
        self._waiting: deque[Place[W]] = deque()
        self._taken = 0
        self._failures = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = 0
        self._recycling = False
        self._closed = False
        self.cause = ""
        """Why the last start of a worker failed; "" after one that succeeded. Back-off goes on until a call is served."""

    @property
    def ready(self) -> bool:
        """Whether a call could be served now or as soon as another has ended."""
        return any(worker.state is State.READY for worker in self._load)

    @property
    def missing(self) -> tuple[str, ...]:
        """Tools that some worker could not reach."""
        return tuple(sorted({name for worker in self._load for name in worker.missing if worker.state is State.READY}))

    def fill(self) -> None:
        """Starts workers until there are as many as wanted. Called again by itself whenever one goes."""
        alive = sum(worker.state in (State.STARTING, State.READY) for worker in self._load)
        # A process may take a while to die: what is dying counts too, at twice the number wanted no more are started.
        room = 2 * self._wanted - len(self._load) - self._starting
        for _ in range(min(self._wanted - alive - self._starting, room) if not self._closed else 0):
            self._starting += 1
            self._run(self._grow())

    def ask(self) -> Place[W]:
        """A place for one call. Raises ServedError when too many wait already. Give it back with `give_back`."""
        place: Place[W] = Place()
        self._waiting.append(place)
        self._hand_out()
        if len(self._waiting) > self._size.queue:
            self._waiting.remove(place)
            wrong = "All workers are busy and the queue is full. Try again a little later."
            raise ServedError("CONCURRENCY_LIMITED", wrong)
        return place

    def give_back(self, place: Place[W]) -> None:
        """The call has ended, or does not want to wait any longer."""
        if place in self._waiting:
            self._waiting.remove(place)
        elif place.worker.done() and not place.worker.cancelled() and place.worker.exception() is None:
            self._taken -= 1
            worker = place.worker.result()
            if worker in self._load:
                self._load[worker] -= 1
        self._hand_out()

    def close(self, error: ServedError) -> None:
        """Nothing is served any more: who waits gets `error`, workers are killed."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        while self._waiting:
            _refuse(self._waiting.popleft(), error)
        for worker in list(self._load):
            worker.kill("the service stops")

    def _hand_out(self) -> None:
        while self._waiting and self._taken < self._size.workers * self._size.calls:
            worker = self._least_loaded()
            if worker is None:
                return
            place = self._waiting.popleft()
            if place.worker.done():  # its call gave up
                continue
            self._load[worker] += 1
            self._taken += 1
            self._failures = 0
            place.worker.set_result(worker)

    def _least_loaded(self) -> W | None:
        free = [w for w, load in self._load.items() if w.state is State.READY and load < self._size.calls]
        return min(free, key=self._load.__getitem__, default=None)

    async def _grow(self) -> None:
        try:
            if self._failures:
                await self._sleep(min(MOST_BACKOFF, BACKOFF * 2.0 ** min(self._failures - 1, 10)))
            worker = await self._spawn(self._worker_changed)
        except StartFailed as error:
            self._failures += 1
            self.cause = str(error)
        else:
            self.cause = ""
            if worker.state is not State.GONE:
                self._load[worker] = 0
                self._note_missing(worker)
        finally:
            self._starting -= 1
        self._settle()

    def _worker_changed(self, worker: W) -> None:
        if worker.state is State.GONE:
            was_ready = self._load.pop(worker, None) is not None
            if was_ready and worker.fell:
                self._failures += 1
                self.cause = "a worker ended right after its start; the service's log says how"
        self._settle()

    def _settle(self) -> None:
        self._hand_out()
        self.fill()
        self._changed()

    def _note_missing(self, worker: W) -> None:
        if worker.missing:
            self._log.warning("worker misses tools", missing=worker.missing)
            if not self._recycling:
                self._recycling = True
                self._run(self._recycle())

    async def _recycle(self) -> None:
        """Replaces workers that miss tools, one at a time, until none does."""
        wait = RECYCLE
        while lacking := [w for w in self._load if w.missing and w.state is State.READY]:
            await self._sleep(wait)
            lacking[0].drain("it misses tools")
            wait = min(MOST_RECYCLE, wait * 1.5)
        self._recycling = False

    def _run(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _refuse(place: Place[W], error: ServedError) -> None:
    if not place.worker.done():
        place.worker.set_exception(error)
