"""Which worker takes which call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from firebreak_runtime.errors import ServedError
from firebreak_runtime.log import Log
from firebreak_runtime.pool import Place, Pool, PoolSize
from firebreak_runtime.worker_process import StartFailed, State

STOPPING = ServedError("TARGET_NOT_READY", "stopping")


class FakeWorker:
    """A worker that lives and dies by the test's word."""

    def __init__(self, changed: Callable[[FakeWorker], None], missing: tuple[str, ...]) -> None:
        self.state = State.READY
        self.missing = missing
        self.fell = False
        self._changed = changed

    def become(self, state: State) -> None:
        self.state = state
        self._changed(self)

    def drain(self, why: str) -> None:
        self.become(State.DRAINING)
        self.kill(why)

    def kill(self, _why: str) -> None:
        self.become(State.DYING)
        self.become(State.GONE)

    def fall(self) -> None:
        self.fell = True
        self.become(State.GONE)


class Ground:
    """A pool on fake workers: `causes` are failures of the next starts, `missing` what the next workers lack."""

    def __init__(self, *, size: int = 2, spare: int = 1, queue: int = 2, calls: int = 1) -> None:
        self.workers: list[FakeWorker] = []
        self.causes: list[str] = []
        self.missing: tuple[str, ...] = ()
        self.slept: list[float] = []
        self.wake = asyncio.Event()
        self.changes = 0
        self.pool: Pool[FakeWorker] = Pool(
            size=PoolSize(size, spare, queue, calls),
            spawn=self._spawn,
            sleep=self._sleep,
            changed=self._note,
            log=Log("probe", lambda: 0.0, lambda _line: None),
        )

    async def _spawn(self, changed: Callable[[FakeWorker], None]) -> FakeWorker:
        if self.causes:
            raise StartFailed(self.causes.pop(0))
        worker = FakeWorker(changed, self.missing)
        self.workers.append(worker)
        return worker

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.wake.wait()

    def _note(self) -> None:
        self.changes += 1

    @property
    def alive(self) -> list[FakeWorker]:
        return [worker for worker in self.workers if worker.state is not State.GONE]

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def filled(self) -> Ground:
        self.pool.fill()
        await self.settle()
        return self


def _worker(place: Place[FakeWorker]) -> FakeWorker:
    return place.worker.result()


async def test_it_keeps_as_many_workers_as_wanted_and_spare() -> None:
    ground = await Ground(size=2, spare=1).filled()
    assert len(ground.alive) == 3
    ground.alive[0].kill("test")
    await ground.settle()
    assert len(ground.alive) == 3


async def test_a_worker_that_dies_is_replaced_before_it_is_gone() -> None:
    ground = await Ground(size=1, spare=0).filled()
    ground.workers[0].become(State.DYING)
    await ground.settle()
    assert len(ground.workers) == 2


async def test_workers_that_take_long_to_die_do_not_pile_up() -> None:
    ground = await Ground(size=1, spare=1).filled()
    for worker in list(ground.workers):
        worker.become(State.DYING)
    await ground.settle()
    for worker in ground.workers[2:]:
        worker.become(State.DYING)
    await ground.settle()
    assert len(ground.workers) == 4
    ground.workers[0].become(State.GONE)
    await ground.settle()
    assert len(ground.workers) == 5


async def test_only_so_many_calls_run_at_once_even_with_a_spare() -> None:
    ground = await Ground(size=2, spare=1, queue=5).filled()
    places = [ground.pool.ask() for _ in range(4)]
    assert [place.worker.done() for place in places] == [True, True, False, False]
    assert _worker(places[0]) is not _worker(places[1])
    ground.pool.give_back(places[0])
    assert places[2].worker.done()
    assert not places[3].worker.done()


async def test_who_came_first_is_served_first() -> None:
    ground = await Ground(size=1, spare=0, queue=5).filled()
    first, *waiting = [ground.pool.ask() for _ in range(4)]
    for following in waiting:
        assert not following.worker.done()
        ground.pool.give_back(first)
        first = following
        assert first.worker.done()


async def test_the_queue_is_bounded() -> None:
    ground = await Ground(size=1, spare=0, queue=1).filled()
    ground.pool.ask()
    ground.pool.ask()
    with pytest.raises(ServedError) as refused:
        ground.pool.ask()
    assert refused.value.reason == "CONCURRENCY_LIMITED"


async def test_who_gives_up_makes_room_in_the_queue() -> None:
    ground = await Ground(size=1, spare=0, queue=1).filled()
    running, waiting = ground.pool.ask(), ground.pool.ask()
    ground.pool.give_back(waiting)
    other = ground.pool.ask()
    ground.pool.give_back(running)
    assert other.worker.done()


async def test_a_place_whose_time_ran_out_is_passed_over() -> None:
    ground = await Ground(size=1, spare=0, queue=5).filled()
    running, late, next_one = (ground.pool.ask() for _ in range(3))
    late.worker.set_exception(ServedError("DEADLINE_EXCEEDED", "late"))
    ground.pool.give_back(running)
    assert next_one.worker.done()
    with pytest.raises(ServedError, match="late"):
        _worker(late)
    ground.pool.give_back(late)
    ground.pool.give_back(next_one)
    assert ground.pool.ask().worker.done()


async def test_many_calls_are_spread_over_workers() -> None:
    ground = await Ground(size=2, spare=0, queue=0, calls=3).filled()
    places = [ground.pool.ask() for _ in range(6)]
    on = [_worker(place) for place in places]
    assert sorted(on.count(worker) for worker in ground.workers) == [3, 3]
    with pytest.raises(ServedError):
        ground.pool.ask()


async def test_a_draining_worker_gets_no_new_calls() -> None:
    ground = await Ground(size=2, spare=0, calls=3).filled()
    ground.workers[0].become(State.DRAINING)
    places = [ground.pool.ask() for _ in range(3)]
    assert {_worker(place) for place in places} == {ground.workers[1]}


async def test_a_call_waits_for_a_worker_that_starts() -> None:
    ground = Ground(size=1, spare=0)
    place = ground.pool.ask()
    assert not place.worker.done()
    await ground.filled()
    assert place.worker.done()


async def test_failing_starts_are_tried_again_with_growing_pauses() -> None:
    ground = Ground(size=1, spare=0)
    ground.causes = ["first", "second", "third"]
    ground.wake.set()
    await ground.filled()
    assert ground.slept == [0.05, 0.1, 0.2]
    assert ground.pool.ready
    assert ground.pool.cause == ""


async def test_the_pause_has_an_upper_bound() -> None:
    ground = Ground(size=1, spare=0)
    ground.causes = ["no"] * 30
    ground.wake.set()
    ground.pool.fill()
    for _ in range(20):
        await ground.settle()
    assert max(ground.slept) == 5.0


async def test_the_cause_of_a_failed_start_is_told() -> None:
    ground = Ground(size=1, spare=0)
    ground.causes = ["ImportError: No module named 'x'"]
    await ground.filled()
    assert not ground.pool.ready
    assert ground.pool.cause == "ImportError: No module named 'x'"
    assert ground.changes


async def test_workers_that_fall_right_away_are_not_made_in_a_tight_loop() -> None:
    ground = await Ground(size=1, spare=0).filled()
    ground.workers[-1].fall()
    await ground.settle()
    assert ground.slept == [0.05]
    assert "right after its start" in ground.pool.cause
    ground.wake.set()
    await ground.settle()
    ground.workers[-1].fall()
    await ground.settle()
    assert ground.slept == [0.05, 0.1]


async def test_a_served_call_ends_the_back_off() -> None:
    ground = await Ground(size=1, spare=0).filled()
    ground.wake.set()
    ground.workers[-1].fall()
    await ground.settle()
    ground.pool.give_back(ground.pool.ask())
    ground.workers[-1].kill("test")
    await ground.settle()
    assert len(ground.slept) == 1


async def test_workers_that_miss_tools_serve_and_are_replaced_until_none_does() -> None:
    ground = Ground(size=2, spare=0)
    ground.missing = ("calculator",)
    await ground.filled()
    first = list(ground.workers)
    assert ground.pool.missing == ("calculator",)
    assert ground.pool.ask().worker.done()
    ground.missing = ()
    ground.wake.set()
    await ground.settle()
    await ground.settle()
    assert not set(ground.alive) & set(first)
    assert ground.pool.missing == ()


async def test_closing_refuses_who_waits_and_ends_all() -> None:
    ground = await Ground(size=1, spare=1, queue=5).filled()
    ground.pool.ask()
    waiting = ground.pool.ask()
    ground.pool.close(STOPPING)
    await ground.settle()
    with pytest.raises(ServedError, match="stopping"):
        _worker(waiting)
    assert not ground.alive


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_places_given_back_in_any_order_leave_the_pool_as_it_was(order: tuple[int, ...]) -> None:
    ground = await Ground(size=2, spare=0, queue=5).filled()
    places: list[Any] = [ground.pool.ask() for _ in range(3)]
    for index in order:
        ground.pool.give_back(places[index])
    again = [ground.pool.ask() for _ in range(3)]
    assert [place.worker.done() for place in again] == [True, True, False]
