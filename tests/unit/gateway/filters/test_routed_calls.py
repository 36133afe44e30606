"""What the stages do with calls of routed services that they do with no others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateway.call import Call, Exchange
from gateway.config import Admission
from gateway.core.circuit import BreakerState
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Code, Reason
from gateway.filters.circuit_breaker import Breakers, circuit_breaker
from gateway.filters.forward import forward
from gateway.filters.retry import retry
from gateway.filters.validate import validate
from gateway.service import Finish, Send
from gateway.targets import Target
from tests.calls import FakeService, discard, takes
from tests.unit.gateway.chain_fakes import (
    Behind,
    FakeJournal,
    FakeRecorder,
    FakeSessions,
    Received,
    targets,
)
from tests.unit.gateway.orders import Order
from tests.unit.gateway.routed_fakes import (
    GET,
    LOAD,
    SYNC,
    WATCH,
    Caller,
    RoutedUpstream,
    call_of,
    orders,
    permitted_call,
)
from tests.virtual_time import clock, virtual_time

DOWN = Finish(Code.UNAVAILABLE, "busy")


async def validated(made: Call, *known: Target) -> Call:
    behind = Behind()
    await validate(Admission(), targets(*known), clock)(behind)(made, Received().send)
    return behind.calls[0]


async def invalid(made: Call, *known: Target) -> CallError:
    with pytest.raises(CallError) as caught:
        await validated(made, *known)
    return caught.value


@virtual_time
async def test_policy_gets_the_arguments_of_one_described_message() -> None:
    target = orders()
    request = Order(customer_id="c1").SerializeToString()
    passed = await validated(call_of(target, GET, request=request), target)
    assert passed.view is not None
    assert passed.view.args == {"customer_id": "c1"}
    assert (passed.target, passed.request) == (target, request)
    assert passed.facts.resolved is target


@virtual_time
@pytest.mark.parametrize(("described", "name"), [(False, GET), (True, LOAD), (True, SYNC)])
async def test_policy_gets_none_of_what_nobody_can_read_yet(described: bool, name: str) -> None:
    target = orders(described)
    passed = await validated(call_of(target, name), target)
    assert passed.view is not None
    assert passed.view.args is None


@virtual_time
async def test_a_request_that_policy_cannot_read_is_malformed() -> None:
    error = await invalid(call_of(target := orders(), GET, request=b"\x98\x06\x01"), target)
    assert error.reason is Reason.REQUEST_MALFORMED
    assert "not described here" in error.message
    assert [violation.field for violation in error.fields] == ["request"]


@virtual_time
async def test_a_service_that_changed_meanwhile_has_the_method_no_more() -> None:
    before = orders(described=False)
    for now in ((), (orders(described=True),), (orders(described=False, methods=["acme.Orders/Watch"]),)):
        error = await invalid(call_of(before, GET), *(now or (replace(before, routed=None),)))
        assert error.reason is Reason.METHOD_UNKNOWN


@virtual_time
async def test_one_request_message_is_held_to_its_size() -> None:
    target = orders(limits={"request_bytes": "64B"})
    exact = Order(customer_id="c" * 62).SerializeToString()
    assert (await validated(call_of(target, GET, request=exact), target)).request is exact
    error = await invalid(call_of(target, GET, request=Order(customer_id="c" * 63).SerializeToString()), target)
    assert error.reason is Reason.REQUEST_TOO_LARGE


async def receive_all(exchange: Exchange | None) -> list[bytes]:
    assert exchange is not None
    got = []
    while (message := await exchange.receive()) is not None:
        got.append(message)
    return got


@virtual_time
async def test_a_streamed_request_is_held_to_its_size_as_a_whole() -> None:
    target = orders(limits={"request_bytes": "64B"})
    caller = Caller([b"a" * 32, 1.0, b"b" * 32])
    passed = await validated(call_of(target, SYNC, caller), target)
    assert (passed.facts.requests, passed.facts.asked) == (0, None)
    assert await receive_all(passed.exchange) == [b"a" * 32, b"b" * 32]
    assert (passed.facts.requests, passed.facts.request_bytes) == (2, 64)
    assert passed.facts.asked == clock()

    passed = await validated(call_of(target, SYNC, Caller([b"a" * 32, b"b" * 32, b"c"])), target)
    with pytest.raises(CallError) as caught:
        await receive_all(passed.exchange)
    assert caught.value.reason is Reason.REQUEST_TOO_LARGE
    assert "more than the 64 bytes" in caught.value.message


def repeated(service: Any, **settings: Any) -> tuple[Any, Target]:
    target = orders(effect="READ", retry={"budget_ratio": 1.0, "backoff": "1ms", "backoff_max": "1ms"}, **settings)
    return retry(clock, lambda: 0.5, asyncio.sleep)(service), target


@virtual_time
async def test_a_plain_unavailable_is_tried_again() -> None:
    inner = FakeService([DOWN, DOWN])
    service, target = repeated(inner)
    assert await service(permitted_call(target, GET), discard) == Finish()
    assert inner.calls == 3


@virtual_time
@pytest.mark.parametrize("code", [Code.ABORTED, Code.INTERNAL, Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED])
async def test_another_status_is_not(code: Code) -> None:
    inner = FakeService([Finish(code)])
    service, target = repeated(inner)
    assert (await service(permitted_call(target, GET), discard)).code is code
    assert inner.calls == 1


@virtual_time
async def test_a_service_that_says_when_to_try_again_says_it_to_the_caller() -> None:
    own = Finish(Code.UNAVAILABLE, "later", (("grpc-retry-pushback-ms", "500"),))
    inner = FakeService([own])
    service, target = repeated(inner)
    assert await service(permitted_call(target, GET), discard) == own
    assert inner.calls == 1


@virtual_time
@pytest.mark.parametrize("name", [LOAD, SYNC])
async def test_a_streamed_request_is_never_sent_again(name: str) -> None:
    inner = FakeService([DOWN])
    service, target = repeated(inner)
    assert await service(permitted_call(target, name), discard) == DOWN
    assert inner.calls == 1


@virtual_time
async def test_nor_is_a_call_whose_caller_has_initial_metadata() -> None:
    inner = FakeService([DOWN])
    service, target = repeated(inner)
    made = permitted_call(target, WATCH)
    made.facts.headed = True
    assert await service(made, discard) == DOWN
    assert inner.calls == 1


@virtual_time
async def test_nor_one_that_changes_something() -> None:
    inner = FakeService([DOWN])
    service = retry(clock, lambda: 0.5, asyncio.sleep)(inner)
    assert await service(permitted_call(orders(effect="MUTATING"), GET), discard) == DOWN
    assert inner.calls == 1


async def breaker_after(target: Target, made: Call, script: Any) -> BreakerState:
    breakers = Breakers(clock)
    try:
        await circuit_breaker(breakers, clock)(FakeService([script]))(made, discard)
    except CallError:
        pass
    return breakers.get(target).state(clock())


ONE_IS_ENOUGH: Mapping[str, Any] = {"minimum_calls": 1, "slow_call": "5s", "slow_rate": 0.5}


@virtual_time
@pytest.mark.parametrize(
    ("code", "opens"),
    [
        (Code.UNAVAILABLE, True),
        (Code.INTERNAL, True),
        (Code.UNKNOWN, True),
        (Code.DATA_LOSS, True),
        (Code.UNIMPLEMENTED, False),
        (Code.ABORTED, False),
        (Code.NOT_FOUND, False),
    ],
)
async def test_what_a_routed_service_says_of_itself(code: Code, opens: bool) -> None:
    target = orders(breaker=ONE_IS_ENOUGH)
    state = await breaker_after(target, permitted_call(target, GET), Finish(code))
    assert (state is BreakerState.OPEN) is opens


@virtual_time
@pytest.mark.parametrize(("asked_after", "opens"), [(None, False), (6.0, False), (1.0, True)])
async def test_while_its_caller_has_more_to_say_a_target_is_not_slow(asked_after: float | None, opens: bool) -> None:
    target = orders(breaker=ONE_IS_ENOUGH)
    made = permitted_call(target, SYNC)
    if asked_after is not None:
        made.facts.asked = clock() + asked_after
    state = await breaker_after(target, made, takes(7.0))
    assert (state is BreakerState.OPEN) is opens


class Attempt:
    """Forward before a scripted routed target."""

    def __init__(self, carried: Any) -> None:
        self.upstream = RoutedUpstream(carried=carried)
        self.journal, self.received = FakeJournal(), Received()
        self.service = forward(self.upstream, FakeSessions(), FakeRecorder(), self.journal, clock)

    async def reason(self, made: Call) -> Reason | None:
        try:
            await self.service(made, self.received.send)
        except CallError as error:
            return error.reason
        return None


async def fine(exchange: Exchange, send: Send) -> Finish:
    await exchange.header((("x-head", "1"),))
    while (message := await exchange.receive()) is not None:
        await send(message)
    return Finish()


@virtual_time
async def test_messages_pass_both_ways_and_the_journal_sees_them() -> None:
    attempt, caller = Attempt(fine), Caller([b"1", b"22"])
    made = permitted_call(orders(), SYNC, caller)
    assert await attempt.reason(made) is None
    assert attempt.received.messages == attempt.journal.asked_for == attempt.journal.shown == [b"1", b"22"]
    assert caller.heads == [(("x-head", "1"),)]
    assert (made.facts.headed, made.facts.events, made.facts.response_bytes) == (True, 2, 3)


@virtual_time
async def test_the_target_gets_the_callers_metadata_without_credentials() -> None:
    attempt = Attempt(fine)
    metadata = (
        ("acme-tenant", "t"),
        ("authorization", "Bearer x"),
        ("firebreak-session", "s"),
        ("traceparent", "mine"),
    )
    await attempt.reason(permitted_call(orders(), SYNC, metadata=metadata))
    assert attempt.upstream.metadata == (
        ("acme-tenant", "t"),
        ("traceparent", "00-trace-span-01"),
        ("firebreak-call-id", "c" * 32),
    )


@virtual_time
@pytest.mark.parametrize(("name", "complete"), [(GET, True), (LOAD, True), (WATCH, False), (SYNC, False)])
async def test_the_last_message_is_known_only_where_there_is_one(name: str, complete: bool) -> None:
    async def answers(exchange: Exchange, send: Send) -> Finish:
        await send(b"1")
        return Finish()

    made = permitted_call(orders(), name)
    assert await Attempt(answers).reason(made) is None
    assert made.facts.complete is complete


@virtual_time
@pytest.mark.parametrize(("size", "reason"), [(32, None), (33, Reason.RESPONSE_TOO_LARGE)])
async def test_answers_are_held_to_their_size(size: int, reason: Reason | None) -> None:
    async def answers(exchange: Exchange, send: Send) -> Finish:
        await send(b"x" * 31)
        await send(b"x" * (size - 31))
        return Finish()

    assert await Attempt(answers).reason(permitted_call(orders(limits={"response_bytes": "32B"}), WATCH)) is reason


PATIENT = {"first_event": "2s", "idle": "3s", "deadline": "60s"}


def asks_then_waits(before: float, between: float) -> Any:
    """A target that hears all of the request, then answers after `before` seconds and again after `between`."""

    async def carried(exchange: Exchange, send: Send) -> Finish:
        await receive_all(exchange)
        await asyncio.sleep(before)
        await send(b"1")
        await asyncio.sleep(between)
        await send(b"2")
        return Finish()

    return carried


@virtual_time
@pytest.mark.parametrize(
    ("before", "between", "reason"),
    [
        (1.9, 2.9, None),
        (2.1, 0.0, Reason.FIRST_EVENT_TIMEOUT),
        (1.9, 3.1, Reason.IDLE_TIMEOUT),
    ],
)
async def test_silence_counts_from_the_end_of_the_request(before: float, between: float, reason: Reason | None) -> None:
    made = permitted_call(orders(limits=PATIENT), SYNC, Caller([b"1", 10.0]), deadline=Deadline(clock() + 60))
    assert await Attempt(asks_then_waits(before, between)).reason(made) is reason


@virtual_time
@pytest.mark.parametrize(("seconds", "reason"), [(9.0, None), (12.1, Reason.IDLE_TIMEOUT)])
async def test_a_target_may_be_silent_between_messages_while_its_caller_talks(
    seconds: float, reason: Reason | None
) -> None:
    async def carried(exchange: Exchange, send: Send) -> Finish:
        await send(b"1")  # so that it has been heard; the caller talks for nine seconds
        hearing = asyncio.create_task(receive_all(exchange))
        await asyncio.sleep(seconds)
        await send(b"2")
        await hearing
        return Finish()

    made = permitted_call(orders(limits=PATIENT), SYNC, Caller([b"1", 9.0]), deadline=Deadline(clock() + 60))
    assert await Attempt(carried).reason(made) is reason


@virtual_time
@pytest.mark.parametrize(("seconds", "reason"), [(1.9, None), (2.1, Reason.FIRST_EVENT_TIMEOUT)])
async def test_with_one_request_message_silence_counts_at_once(seconds: float, reason: Reason | None) -> None:
    async def carried(exchange: Exchange, send: Send) -> Finish:
        await asyncio.sleep(seconds)
        await send(b"1")
        return Finish()

    made = permitted_call(orders(limits=PATIENT), GET, deadline=Deadline(clock() + 60))
    assert await Attempt(carried).reason(made) is reason
