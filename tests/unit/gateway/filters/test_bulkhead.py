"""Bulkhead: rate, places and queue on both sides of their limits; nothing leaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from gateway.config import Limits, Rate
from gateway.core.concurrency import ConcurrencySnapshot
from gateway.errors import CallError, Code, Reason
from gateway.filters.bulkhead import Bulkheads, bulkhead
from gateway.service import Finish, Send
from tests.calls import FakeService, discard, make_call, make_target, takes
from tests.virtual_time import clock, virtual_time

EMPTY = ConcurrencySnapshot(running=0, waiting=0)


class Bounded:
    """A bulkhead before a fake service, with a handle on both."""

    def __init__(self, *script: Any, **limits: Any) -> None:
        self.target = make_target(limits=Limits(**limits))
        self.inner = FakeService(list(script))
        self.bulkheads = Bulkheads(clock)
        self.service = bulkhead(clock, self.bulkheads)(self.inner)

    def start(self, deadline: float = float("inf")) -> asyncio.Task[Finish]:
        return asyncio.ensure_future(self.service(make_call(self.target, deadline=deadline), discard))

    @property
    def seen(self) -> ConcurrencySnapshot:
        return self.bulkheads.snapshots()[self.target.name]


async def refused(task: Awaitable[Finish]) -> CallError:
    with pytest.raises(CallError) as caught:
        await task
    return caught.value


@virtual_time
async def test_rate() -> None:
    bounded = Bounded(rate=Rate(per_second=4.0, burst=2))
    await asyncio.gather(bounded.start(), bounded.start())
    error = await refused(bounded.start())
    assert (error.reason, error.code) == (Reason.RATE_LIMITED, Code.RESOURCE_EXHAUSTED)
    assert (error.retry_after, error.quota) == (0.25, "target:calculator")
    assert error.metadata == {"target": "calculator"}
    await asyncio.sleep(0.25)
    assert await bounded.start() == Finish()
    assert bounded.inner.calls == 3


@pytest.mark.parametrize("limit", [1, 3])
def test_concurrency(limit: int) -> None:
    @virtual_time
    async def scenario() -> None:
        bounded = Bounded(*[takes(1.0)] * 10, concurrency=limit, queue=10)
        started = clock()
        await asyncio.gather(*(bounded.start() for _ in range(10)))
        assert bounded.inner.most == limit
        assert clock() - started == pytest.approx(-(-10 // limit))
        assert bounded.seen == EMPTY

    scenario()


@pytest.mark.parametrize("queue", [0, 2])
def test_queue(queue: int) -> None:
    @virtual_time
    async def scenario() -> None:
        bounded = Bounded(takes(1.0), concurrency=1, queue=queue)
        running = [bounded.start() for _ in range(1 + queue)]
        await asyncio.sleep(0)
        assert bounded.seen == ConcurrencySnapshot(running=1, waiting=queue)
        error = await refused(bounded.start())
        assert (error.reason, error.quota) == (Reason.CONCURRENCY_LIMITED, "target:calculator")
        assert error.retry_after is not None
        assert await asyncio.gather(*running) == [Finish()] * (1 + queue)

    scenario()


async def crowd(bounded: Bounded) -> list[asyncio.Task[Finish]]:
    """Two run, and of four who waited the first three got their places and others came: more come than two can serve."""
    tasks = [bounded.start() for _ in range(6)]
    await asyncio.sleep(1.5)
    tasks += [bounded.start() for _ in range(2)]
    await asyncio.sleep(1.0)
    tasks += [bounded.start() for _ in range(2)]
    await asyncio.sleep(0)
    assert bounded.seen == ConcurrencySnapshot(running=2, waiting=4)
    return tasks


@virtual_time
async def test_where_more_come_than_can_be_served_few_wait_and_the_others_are_sent_away_at_once() -> None:
    bounded = Bounded(*[takes(1.0)] * 20, concurrency=2, queue=4)
    tasks = await crowd(bounded)
    error = await refused(bounded.start())
    assert (error.reason, error.retry_after) == (Reason.CONCURRENCY_LIMITED, 1.0)
    await asyncio.sleep(0)
    assert bounded.seen == ConcurrencySnapshot(running=2, waiting=1)
    sent_away = [task.exception() for task in tasks if task.done() and task.exception()]
    assert [(type(each), getattr(each, "retry_after", None)) for each in sent_away] == [(CallError, 1.0)] * 3
    assert await tasks[-1] == Finish()
    assert bounded.seen == EMPTY


@virtual_time
async def test_a_burst_that_does_not_fit_in_is_served_as_far_as_it_does() -> None:
    bounded = Bounded(*[takes(1.0)] * 20, concurrency=2, queue=4)
    tasks = [bounded.start() for _ in range(20)]
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert ended.count(Finish()) == 6
    assert {each.retry_after for each in ended if isinstance(each, CallError)} == {0.1}


@virtual_time
async def test_cancelled_in_the_moment_in_which_it_is_sent_away() -> None:
    """It had no place that it could pass on."""
    bounded = Bounded(*[takes(1.0)] * 20, concurrency=2, queue=4)
    tasks = await crowd(bounded)
    waiting = [task for task in tasks if not task.done()][2:]
    one_more = bounded.start()
    await asyncio.sleep(0)
    waiting[0].cancel()  # it was sent away, but has not run since
    await asyncio.gather(one_more, *tasks, return_exceptions=True)
    assert waiting[0].cancelled()
    assert bounded.seen == EMPTY


@virtual_time
async def test_first_come_first_served() -> None:
    bounded = Bounded(*[takes(1.0)] * 4, concurrency=1, queue=3)
    order: list[int] = []
    for number in range(4):
        bounded.start().add_done_callback(lambda _, number=number: order.append(number))
    await asyncio.sleep(10.0)
    assert order == [0, 1, 2, 3]


@virtual_time
async def test_waits_at_most_to_the_deadline() -> None:
    bounded = Bounded(takes(5.0), concurrency=1, queue=1)
    running = bounded.start()
    waiting = bounded.start(deadline=clock() + 2.0)
    started = clock()
    error = await refused(waiting)
    assert (error.reason, error.code) == (Reason.DEADLINE_EXCEEDED, Code.DEADLINE_EXCEEDED)
    assert clock() - started == pytest.approx(2.0, abs=0.01)
    assert bounded.seen == ConcurrencySnapshot(running=1, waiting=0)
    await running
    assert (bounded.inner.calls, bounded.seen) == (1, EMPTY)


@virtual_time
async def test_the_caller_learns_that_nothing_was_done_although_the_whole_call_ends_then() -> None:
    bounded = Bounded(takes(5.0), concurrency=1, queue=1)
    running = bounded.start()
    await asyncio.sleep(0)
    with pytest.raises(CallError, match="Nothing was done"):
        async with asyncio.timeout_at(clock() + 2.0) as whole_call:
            await bounded.service(make_call(bounded.target, deadline=clock() + 2.0), discard)
    assert not whole_call.expired()
    await running


@virtual_time
async def test_time_in_the_queue_goes_on_record() -> None:
    bounded = Bounded(takes(5.0), concurrency=1, queue=1)
    running, call = bounded.start(), make_call(bounded.target, started=clock())
    await asyncio.sleep(1.0)
    await bounded.service(call, discard)
    assert call.facts.stages == {"bulkhead": pytest.approx(5.0)}
    await running


@virtual_time
async def test_cancelled_while_it_waits() -> None:
    bounded = Bounded(takes(5.0), concurrency=1, queue=1)
    running, waiting = bounded.start(), bounded.start()
    await asyncio.sleep(1.0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert bounded.seen == ConcurrencySnapshot(running=1, waiting=0)
    await running
    assert (bounded.inner.calls, bounded.seen) == (1, EMPTY)


@virtual_time
async def test_cancelled_in_the_moment_in_which_it_gets_its_place() -> None:
    """The place was already its own, and goes to the next in the queue."""
    bounded = Bounded(takes(1.0), concurrency=1, queue=2)

    async def leaves_and_cancels() -> None:
        await bounded.service(make_call(bounded.target), discard)
        cancelled.cancel()  # it has its place, but has not run since

    running = asyncio.ensure_future(leaves_and_cancels())
    await asyncio.sleep(0)
    cancelled, next_in_line = bounded.start(), bounded.start()
    assert await next_in_line == Finish()
    await running
    assert cancelled.cancelled()
    assert (bounded.inner.calls, bounded.seen) == (2, EMPTY)


@virtual_time
async def test_cancelled_in_the_same_moment_before_it_gets_its_place() -> None:
    """The one who leaves passes over a waiter who is gone but has not run since."""
    bounded = Bounded(takes(1.0), concurrency=1, queue=2)
    running, cancelled, next_in_line = bounded.start(), bounded.start(), bounded.start()
    await asyncio.sleep(0.5)
    running.cancel()
    cancelled.cancel()
    assert await next_in_line == Finish()
    assert cancelled.cancelled()
    assert bounded.seen == EMPTY


@pytest.mark.parametrize("end", [CallError(Reason.WORKER_DIED, "gone"), RuntimeError("a bug"), Finish(Code.INTERNAL)])
def test_the_place_comes_back_however_the_call_ends(end: Any) -> None:
    @virtual_time
    async def scenario() -> None:
        bounded = Bounded(takes(1.0, end), concurrency=1, queue=0)
        await asyncio.gather(bounded.start(), return_exceptions=True)
        assert bounded.seen == EMPTY
        assert await bounded.start() == Finish()

    scenario()


@virtual_time
async def test_the_place_is_held_until_the_stream_has_ended() -> None:
    async def stream(send: Send) -> Finish:
        for _ in range(5):
            await send(b"event")
            await asyncio.sleep(1.0)
        return Finish()

    bounded = Bounded(stream, concurrency=1, queue=0)
    streaming = bounded.start()
    for _ in range(5):
        await asyncio.sleep(0.9)
        assert (await refused(bounded.start())).reason is Reason.CONCURRENCY_LIMITED
    await streaming
    assert await bounded.start() == Finish()


@virtual_time
async def test_one_target_does_not_take_the_places_or_tokens_of_another() -> None:
    service = bulkhead(clock)(FakeService([takes(60.0)]))
    limits = Limits(concurrency=1, queue=0, rate=Rate(per_second=0.001, burst=2))
    python, calculator = make_target("python", limits=limits), make_target("calculator", limits=limits)
    hung = asyncio.ensure_future(service(make_call(python), discard))
    await asyncio.sleep(0)
    assert (await refused(service(make_call(python), discard))).reason is Reason.CONCURRENCY_LIMITED
    assert (await refused(service(make_call(python), discard))).reason is Reason.RATE_LIMITED
    assert await service(make_call(calculator), discard) == Finish()
    hung.cancel()
    await asyncio.gather(hung, return_exceptions=True)


def test_snapshots_show_only_targets_that_were_called() -> None:
    bulkheads, target = Bulkheads(lambda: 0.0), make_target()
    assert bulkheads.snapshots() == {}
    assert bulkheads.get(target) is bulkheads.get(target)
    assert bulkheads.snapshots() == {"calculator": EMPTY}


def test_a_target_that_is_configured_anew_has_its_own_places_and_shows_them() -> None:
    bulkheads, old, new = Bulkheads(lambda: 0.0), make_target(), make_target(limits=Limits(concurrency=1))
    assert bulkheads.get(old).places.enter()
    assert bulkheads.snapshots() == {"calculator": ConcurrencySnapshot(running=1, waiting=0)}
    assert bulkheads.get(new).places.enter()
    assert not bulkheads.get(new).places.enter()
    assert bulkheads.get(old).places.enter()
    assert bulkheads.snapshots() == {"calculator": ConcurrencySnapshot(running=1, waiting=0)}
    del old, new
    assert bulkheads.snapshots() == {}, "what is gone leaves nothing behind"


class FakeQuotas:
    """Tells each call to wait for `wait` seconds; keeps what it was asked."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self.asked: list[tuple[str, float, int]] = []

    async def take(self, name: str, per_second: float, burst: int) -> float:
        self.asked.append((name, per_second, burst))
        return self.wait


@virtual_time
async def test_the_rate_that_gateways_share_comes_behind_that_of_this_one() -> None:
    quotas, target = FakeQuotas(0.0), make_target(limits=Limits(rate=Rate(per_second=4.0, burst=1)))
    service = bulkhead(clock, shared=quotas)(FakeService())
    assert await service(make_call(target), discard) == Finish()
    await refused(service(make_call(target), discard))
    assert quotas.asked == [("target:calculator", 4.0, 1)]


@virtual_time
async def test_a_shared_rate_that_is_used_up() -> None:
    inner, bulkheads = FakeService(), Bulkheads(clock)
    error = await refused(bulkhead(clock, bulkheads, FakeQuotas(0.5))(inner)(make_call(make_target()), discard))
    assert (error.reason, error.retry_after, error.quota) == (Reason.RATE_LIMITED, 0.5, "target:calculator")
    assert inner.calls == 0
    assert all(seen == EMPTY for seen in bulkheads.snapshots().values())
