"""Admit: each limit on both sides, in its order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.call import Call
from gateway.config import Admission, Rate
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Code, Reason
from gateway.filters.admit import Admitted, admit
from gateway.service import Finish, Send, Service
from tests.calls import FakeService, discard, make_call, takes
from tests.virtual_time import clock, virtual_time

CHILD: dict[str, Any] = {"principal": "service:assistant", "depth": 1}


def admitting(
    inner: Service | None = None, *, draining: bool = False, admitted: Admitted | None = None, **admission: Any
) -> Service:
    return admit(Admission(**admission), clock, lambda: draining, admitted)(inner or FakeService())


async def refused(service: Service, call: Call) -> CallError:
    with pytest.raises(CallError) as caught:
        await service(call, discard)
    return caught.value


@virtual_time
async def test_passes_the_call_on_and_the_finish_back() -> None:
    finish, call = Finish(Code.NOT_FOUND, "no such page"), make_call(started=clock() - 1.5)
    assert await admitting(FakeService([finish]))(call, discard) is finish
    assert call.facts.stages == {"admit": 1.5}


@virtual_time
async def test_draining_refuses_new_work() -> None:
    error = await refused(admitting(draining=True), make_call())
    assert (error.reason, error.code, error.retry_after) == (Reason.DRAINING, Code.UNAVAILABLE, 1.0)


@virtual_time
async def test_draining_lets_work_in_progress_make_its_child_calls() -> None:
    assert await admitting(draining=True)(make_call(**CHILD), discard) == Finish()


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("caller", [{}, CHILD])
def test_in_flight(limit: int, caller: dict[str, Any]) -> None:
    @virtual_time
    async def scenario() -> None:
        service = admitting(FakeService([takes(5.0)] * limit), in_flight=limit)
        running = [asyncio.ensure_future(service(make_call(**caller), discard)) for _ in range(limit)]
        await asyncio.sleep(1.0)
        error = await refused(service, make_call(**caller))
        assert (error.reason, error.code) == (Reason.OVERLOADED, Code.RESOURCE_EXHAUSTED)
        assert (error.retry_after, error.quota) == (1.0, "gateway:in_flight")
        await asyncio.gather(*running)
        assert await service(make_call(**caller), discard) == Finish()

    scenario()


@virtual_time
async def test_a_gateway_full_of_agents_still_serves_their_tools() -> None:
    """Else each agent call would hold a place and none could ever be finished."""
    admitted = Admitted()
    service = admitting(FakeService([takes(5.0)]), in_flight=1, admitted=admitted)
    agent = asyncio.ensure_future(service(make_call(), discard))
    await asyncio.sleep(1.0)
    assert await service(make_call(**CHILD), discard) == Finish()
    assert admitted == Admitted(outside=1, children=0)
    await agent


@pytest.mark.parametrize("end", [CallError(Reason.TARGET_UNAVAILABLE, "gone"), RuntimeError("a bug"), Finish()])
@pytest.mark.parametrize("caller", [{}, CHILD])
def test_the_place_comes_back_however_the_call_ends(end: Any, caller: dict[str, Any]) -> None:
    @virtual_time
    async def scenario() -> None:
        admitted = Admitted()
        service = admitting(FakeService([takes(1.0, end)]), in_flight=1, admitted=admitted)
        await asyncio.gather(service(make_call(**caller), discard), return_exceptions=True)
        assert admitted == Admitted()

    scenario()


@virtual_time
async def test_the_place_comes_back_when_the_call_is_cancelled() -> None:
    admitted = Admitted()
    task = asyncio.ensure_future(admitting(FakeService([takes(60.0)]), admitted=admitted)(make_call(), discard))
    await asyncio.sleep(1.0)
    assert admitted == Admitted(outside=1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert admitted == Admitted()


@virtual_time
async def test_principal_rate() -> None:
    service = admitting(principal_rate=Rate(per_second=2.0, burst=3))
    for _ in range(3):
        await service(make_call(), discard)
    error = await refused(service, make_call())
    assert (error.reason, error.retry_after, error.quota) == (Reason.RATE_LIMITED, 0.5, "principal:user:ada")
    assert await service(make_call(principal="user:bob"), discard) == Finish()
    await asyncio.sleep(0.5)
    assert await service(make_call(), discard) == Finish()
    await refused(service, make_call())


@pytest.mark.parametrize("max_depth", [0, 4])
def test_max_depth(max_depth: int) -> None:
    @virtual_time
    async def scenario() -> None:
        inner = FakeService()
        service = admitting(inner, max_depth=max_depth)
        await service(make_call(depth=max_depth), discard)
        error = await refused(service, make_call(depth=max_depth + 1))
        assert (error.reason, error.retry_after) == (Reason.DEPTH_EXCEEDED, None)
        assert inner.calls == 1

    scenario()


@virtual_time
async def test_the_cheapest_and_most_general_reason_comes_first() -> None:
    """One fault after the other is taken away; what is left shows the order."""
    tight: dict[str, Any] = {"in_flight": 1, "principal_rate": Rate(per_second=0.001, burst=1), "max_depth": 0}
    tight["session_calls"] = 1
    full = Admitted(outside=1, children=1)
    assert (await refused(admitting(draining=True, admitted=full, **tight), make_call())).reason is Reason.DRAINING
    deep = make_call(depth=1)
    assert (await refused(admitting(draining=True, admitted=full, **tight), deep)).reason is Reason.OVERLOADED
    service = admitting(**tight)
    assert (await refused(service, deep)).reason is Reason.DEPTH_EXCEEDED
    assert (await refused(service, deep)).reason is Reason.RATE_LIMITED


@pytest.mark.parametrize("limit", [1, 3])
def test_calls_of_services_in_one_session(limit: int) -> None:
    @virtual_time
    async def scenario() -> None:
        service = admitting(session_calls=limit)
        for _ in range(limit):
            await service(child_of("a" * 32), discard)
        error = await refused(service, child_of("a" * 32))
        assert (error.reason, error.code) == (Reason.CALL_BUDGET_EXCEEDED, Code.RESOURCE_EXHAUSTED)
        assert (error.quota, error.retry_after) == ("session:calls", None)
        assert error.message.startswith(f"{limit} calls were made")
        assert await service(child_of("b" * 32), discard) == Finish(), "another session has its own"
        assert await service(make_call(), discard) == Finish(), "a call from outside begins one"

    scenario()


def child_of(session: str, depth: int = 1) -> Call:
    call = make_call(**CHILD)
    assert call.session is not None
    return replace(call, session=replace(call.session, id=session, depth=depth))


@virtual_time
async def test_a_sessions_calls_are_counted_at_every_depth_and_forgotten_with_it() -> None:
    begins = make_call()
    assert begins.session is not None
    session = begins.session.id

    async def calls_twice(_send: Send) -> Finish:
        await service(child_of(session), discard)
        await refused(service, child_of(session, depth=2))
        return Finish()

    service = admitting(FakeService([calls_twice, Finish(), calls_twice]), session_calls=1)
    for _ in range(2):
        assert await service(begins, discard) == Finish()


@virtual_time
async def test_a_call_that_was_not_let_in_was_not_made() -> None:
    service = admitting(session_calls=1, principal_rate=Rate(per_second=1.0, burst=1))
    await service(make_call(principal="service:assistant"), discard)
    assert (await refused(service, child_of("a" * 32))).reason is Reason.RATE_LIMITED
    await asyncio.sleep(1.0)
    assert await service(child_of("a" * 32), discard) == Finish()


@virtual_time
async def test_calls_of_a_session_beyond_its_rate_wait_for_their_turn() -> None:
    """Each for the turn behind the one before; another session, and calls from outside, do not wait for them."""
    service = admitting(session_rate=Rate(per_second=4.0, burst=2))
    calls = [child_of("a" * 32) for _ in range(5)]
    running = [asyncio.ensure_future(service(call, discard)) for call in calls]
    others = [child_of("b" * 32), make_call(), make_call(), make_call()]
    for call in others:
        await service(call, discard)
        assert call.facts.stages["admit"] == clock()
    began = clock()
    await asyncio.gather(*running)
    assert [call.facts.stages["admit"] - began for call in calls] == [0.0, 0.0, 0.25, 0.5, 0.75]


@virtual_time
async def test_a_turn_that_is_too_far_away_is_refused_and_not_counted() -> None:
    admitted = Admitted()
    service = admitting(admitted=admitted, session_rate=Rate(per_second=2.0, burst=1), session_calls=4)
    running = [
        asyncio.ensure_future(service(child_of("a" * 32), discard)) for _ in range(3)
    ]  # the last one waits for 1 s
    await asyncio.sleep(0)
    error = await refused(service, child_of("a" * 32))
    assert (error.reason, error.code) == (Reason.RATE_LIMITED, Code.RESOURCE_EXHAUSTED)
    assert (error.retry_after, error.quota) == (1.5, "session:rate")
    assert "more than 2 calls a second" in error.message
    assert admitted == Admitted(children=2), "two wait"
    await asyncio.gather(*running)
    await service(child_of("a" * 32), discard)
    assert (await refused(service, child_of("a" * 32))).reason is Reason.CALL_BUDGET_EXCEEDED


@pytest.mark.parametrize("seconds", [0.5, 0.51])
def test_a_turn_behind_the_deadline_is_refused_at_once(seconds: float) -> None:
    @virtual_time
    async def scenario() -> None:
        service = admitting(session_rate=Rate(per_second=2.0, burst=1))
        await service(child_of("a" * 32), discard)
        began = clock()
        late = replace(child_of("a" * 32), deadline=Deadline(began + seconds))
        if seconds > 0.5:
            assert await service(late, discard) == Finish()
        else:
            assert (await refused(service, late)).reason is Reason.RATE_LIMITED
            assert clock() == began

    scenario()


@virtual_time
async def test_who_gives_up_waiting_leaves_its_place() -> None:
    admitted = Admitted()
    service = admitting(admitted=admitted, session_rate=Rate(per_second=1.0, burst=1))
    await service(child_of("a" * 32), discard)
    waiting = asyncio.ensure_future(service(child_of("a" * 32), discard))
    await asyncio.sleep(0.1)
    assert admitted == Admitted(children=1)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert admitted == Admitted()


@virtual_time
async def test_a_refused_call_holds_no_place() -> None:
    admitted = Admitted()
    service = admitting(admitted=admitted, principal_rate=Rate(per_second=1.0, burst=1), max_depth=0)
    assert (await refused(service, make_call(depth=1))).reason is Reason.DEPTH_EXCEEDED
    assert (await refused(service, make_call())).reason is Reason.RATE_LIMITED
    assert admitted == Admitted()


class FakeQuotas:
    """Tells each call to wait for `wait` seconds, after `takes` seconds; keeps what it was asked."""

    def __init__(self, wait: float = 0.0, takes: float = 0.0) -> None:
        self.wait, self.takes = wait, takes
        self.asked: list[tuple[str, float, int]] = []

    async def take(self, name: str, per_second: float, burst: int) -> float:
        self.asked.append((name, per_second, burst))
        await asyncio.sleep(self.takes)
        return self.wait


def sharing(quotas: FakeQuotas, inner: Service | None = None, **admission: Any) -> Service:
    return admit(Admission(**admission), clock, lambda: False, shared=quotas)(inner or FakeService())


@virtual_time
async def test_the_rate_that_gateways_share_comes_behind_that_of_this_one() -> None:
    quotas = FakeQuotas()
    service = sharing(quotas, principal_rate=Rate(per_second=2.0, burst=1))
    assert await service(make_call(principal="user:ada"), discard) == Finish()
    await refused(service, make_call(principal="user:ada"))
    assert quotas.asked == [("principal:user:ada", 2.0, 1)]


@virtual_time
async def test_a_shared_rate_that_is_used_up() -> None:
    inner = FakeService()
    error = await refused(sharing(FakeQuotas(0.5), inner), make_call(principal="user:ada"))
    assert (error.reason, error.retry_after, error.quota) == (Reason.RATE_LIMITED, 0.5, "principal:user:ada")
    assert inner.calls == 0


@virtual_time
async def test_who_waits_for_the_shared_rate_holds_a_place() -> None:
    service = sharing(FakeQuotas(takes=1.0), in_flight=1)
    waiting = asyncio.ensure_future(service(make_call(), discard))
    await asyncio.sleep(0.5)
    assert (await refused(service, make_call())).reason is Reason.OVERLOADED
    assert await waiting == Finish()
    assert await service(make_call(), discard) == Finish()
