"""Bulkhead, retry and breaker around a target that misbehaves in any way, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.call import Call
from gateway.config import Breaker, Effect, Limits, Retry
from gateway.core.circuit import BreakerState
from gateway.core.concurrency import ConcurrencySnapshot
from gateway.errors import CallError, Code, Reason
from gateway.filters.bulkhead import Bulkheads, bulkhead
from gateway.filters.circuit_breaker import Breakers, circuit_breaker
from gateway.filters.retry import RetryBudgets, retry
from gateway.service import Finish, Send
from tests.calls import FakeService, discard, make_call, make_target, takes
from tests.virtual_time import clock, run

ENDS = [Finish(), Finish(Code.UNAVAILABLE, reason="WORKER_DIED"), Finish(Code.NOT_FOUND), Reason.TARGET_UNAVAILABLE]


@dataclass(frozen=True)
class Planned:
    """A call: when it comes, how long its attempts take and how they end, when its caller cancels, its deadline."""

    comes: float
    takes: float
    ends: Finish | Reason
    cancelled: float
    deadline: float


PLANS = st.lists(
    st.builds(
        Planned,
        comes=st.integers(0, 40).map(lambda n: n / 8),
        takes=st.integers(0, 16).map(lambda n: n / 8),
        ends=st.sampled_from(ENDS),
        cancelled=st.one_of(st.just(1e6), st.integers(0, 24).map(lambda n: n / 8)),
        deadline=st.integers(0, 80).map(lambda n: n / 8),
    ),
    max_size=25,
)


class Stages:
    def __init__(self, limit: int, queue: int, effect: Effect) -> None:
        self.target = make_target(
            effect=effect,
            limits=Limits(concurrency=limit, queue=queue),
            breaker=Breaker(minimum_calls=4, window="4s", open_for="1s", probes=2),
            retry=Retry(budget_ratio=0.2, budget_per_second=0.0),
        )
        self.bulkheads, self.budgets, self.breakers = Bulkheads(clock), RetryBudgets(clock), Breakers(clock)
        self.running = self.most = self.most_probes = 0
        breaker = circuit_breaker(self.breakers, clock)(self.serve)
        self.service = bulkhead(clock, self.bulkheads)(retry(clock, lambda: 0.5, asyncio.sleep, self.budgets)(breaker))
        self.plans: dict[int, Planned] = {}

    async def serve(self, call: Call, send: Send) -> Finish:
        plan = self.plans[id(call)]
        self.running += 1
        self.most = max(self.most, self.running)
        self.most_probes = max(self.most_probes, self.breakers.snapshots()[self.target.name].probes)
        try:
            await asyncio.sleep(plan.takes)
        finally:
            self.running -= 1
        if isinstance(plan.ends, Reason):
            raise CallError(plan.ends, "x")
        return plan.ends

    async def make(self, plan: Planned) -> Call:
        await asyncio.sleep(plan.comes)
        call = make_call(self.target, deadline=clock() + plan.deadline, started=clock())
        self.plans[id(call)] = plan
        task = asyncio.ensure_future(self.service(call, discard))
        await asyncio.wait([task], timeout=min(plan.cancelled, plan.deadline))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return call


@settings(max_examples=200)
@given(plans=PLANS, limit=st.integers(1, 3), queue=st.integers(0, 3), effect=st.sampled_from(Effect))
def test_nothing_leaks_and_no_limit_is_passed(plans: list[Planned], limit: int, queue: int, effect: Effect) -> None:
    async def scenario() -> None:
        stages = Stages(limit, queue, effect)
        calls = await asyncio.gather(*(stages.make(plan) for plan in plans))
        assert stages.running == 0
        assert stages.most <= limit
        assert stages.most_probes <= 2
        assert all(each == ConcurrencySnapshot(0, 0) for each in stages.bulkheads.snapshots().values())
        assert all(each.probes == 0 for each in stages.breakers.snapshots().values())
        retries = sum(max(0, len(call.facts.attempts) - 1) for call in calls)
        assert retries <= (0 if effect is Effect.MUTATING else 0.2 * len(calls) + 1e-5)

    run(scenario())


def test_half_of_the_calls_fail_until_the_target_recovers() -> None:
    """The breaker opens, lets only its probes through each time, and closes when the target is healthy again."""

    async def scenario() -> None:
        target = make_target(effect=Effect.MUTATING, breaker=Breaker(open_for="5s", probes=2, minimum_calls=10))
        breakers, inner = Breakers(clock), FakeService([takes(0.01, Finish(Code(14 * (n % 2)))) for n in range(10)])
        service = circuit_breaker(breakers, clock)(inner)

        async def reached(calls: int) -> int:
            """How many of so many calls at once reach the target."""
            before = inner.calls
            await asyncio.gather(*(service(make_call(target), discard) for _ in range(calls)), return_exceptions=True)
            return inner.calls - before

        assert [await reached(1) for _ in range(12)] == [1] * 10 + [0, 0]
        inner.script = [takes(0.01, Finish(Code.UNAVAILABLE))] * 2
        await asyncio.sleep(5.0)
        assert (await reached(50), breakers.get(target).state(clock())) == (2, BreakerState.OPEN)
        inner.script = [takes(0.01)] * 2
        await asyncio.sleep(5.0)
        assert (await reached(50), breakers.get(target).state(clock())) == (2, BreakerState.CLOSED)
        assert await reached(50) == 50

    run(scenario())
