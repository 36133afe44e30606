"""What holds routed services and their callers in bounds, over real sockets: sizes, back-pressure, policy, retries, journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway.core.circuit import BreakerState
from gateway.wire import read_error
from tests.contract.edge import details, failure, reason
from tests.contract.routed import BOTH, DOWN, UNARY, UP, Channel, Echo, Gateway, ask, said, seen, ways
from tests.unit.gateway.chain_fakes import FakeJournal

HI = said("hi")


async def refused(channel: Channel, method: str, messages: list[bytes]) -> str:
    """The reason that a call of these `messages` ends with."""
    trailers = dict((await ask(channel, method, messages)).trailers)
    info = read_error(tuple(trailers.items()))
    assert info is not None
    return info.reason


@pytest.mark.parametrize("method", [UP, BOTH])
async def test_a_streamed_request_is_bounded_as_a_whole(sockets: Path, method: str) -> None:
    limits = {"limits": {"request_bytes": "64KiB"}}
    service = Echo()
    async with ways(service, Gateway(settings=limits), sockets) as both:
        found = await ask(both.through, method, [b"x" * 32 * 1024] * 2)
        assert (found.code, len(found.messages)) == (grpc.StatusCode.OK, 2)
        assert await refused(both.through, method, [b"x" * 32 * 1024] * 2 + [b"x"]) == "REQUEST_TOO_LARGE"
        await service.reached(lambda: service.ended == service.started == 2)


async def test_one_request_message_is_bounded(sockets: Path) -> None:
    limits = {"limits": {"request_bytes": "64B"}}
    service = Echo()
    async with ways(service, Gateway(settings=limits, described=True), sockets) as both:
        assert (await ask(both.through, UNARY, [said("x" * 62)])).code is grpc.StatusCode.OK
        assert await refused(both.through, UNARY, [said("x" * 63)]) == "REQUEST_TOO_LARGE"
    assert service.started == 1


async def test_answers_are_bounded_as_a_whole_and_each(sockets: Path) -> None:
    size = 0

    async def script(context: Any) -> None:
        for part in (size // 2, size - size // 2):
            await context.write(b"x" * part)

    async def one(context: Any) -> None:
        await context.write(b"x" * size)

    service = Echo(script)
    async with ways(service, Gateway(settings={"limits": {"response_bytes": "64KiB"}}), sockets) as both:
        for service.script in (script, one):
            size = 64 * 1024
            found = await ask(both.through, BOTH, [])
            assert (found.code, sum(map(len, found.messages))) == (grpc.StatusCode.OK, size)
            size += 1
            assert await refused(both.through, BOTH, []) == "RESPONSE_TOO_LARGE"


@pytest.mark.parametrize("script", ["head", "trailers"])
async def test_the_targets_metadata_is_bounded(sockets: Path, script: str) -> None:
    size = 0

    async def head(context: Any) -> None:
        await context.read()
        await context.send_initial_metadata((("x-large", "v" * size),))

    async def trailers(context: Any) -> None:
        context.set_trailing_metadata((("x-large", "v" * size),))

    async with ways(Echo({"head": head, "trailers": trailers}[script]), Gateway(), sockets) as both:
        size = 15 * 1024
        found = await ask(both.through, BOTH, [HI])
        assert [len(value) for _, value in found.initial + found.trailers] == [size]
        size = 17 * 1024
        assert await refused(both.through, BOTH, [HI]) == "RESPONSE_TOO_LARGE"


MANY, ROOM = 1000, 400
"""Messages of 64 KiB that one side would like to send, and those that may be under way through all connections."""


async def stands_still(count: Callable[[], int]) -> int:
    """What `count` stays at: nothing moves any more."""
    last, unchanged = -1, 0
    while unchanged < 30:
        await asyncio.sleep(0.01)
        unchanged = unchanged + 1 if (now := count()) == last and now else 0
        last = now
    return last


async def test_a_slow_target_slows_its_caller(sockets: Path) -> None:
    reads = asyncio.Event()
    read = written = 0

    async def script(context: Any) -> None:
        nonlocal read
        await reads.wait()
        while await context.read() is not grpc.aio.EOF:
            read += 1

    async with ways(Echo(script), Gateway(settings={"limits": {"request_bytes": "64MiB"}}), sockets) as both:
        rpc = both.through.stream_stream(UP)(timeout=60)

        async def floods() -> None:
            nonlocal written
            for _ in range(MANY):
                await rpc.write(b"x" * 64 * 1024)
                written += 1
            await rpc.done_writing()

        flood = asyncio.create_task(floods())
        assert await stands_still(lambda: written) < ROOM
        reads.set()
        await flood
        assert (await seen(rpc)).code is grpc.StatusCode.OK
    assert read == MANY


async def test_a_slow_caller_slows_the_target(sockets: Path) -> None:
    sent = 0

    async def script(context: Any) -> None:
        nonlocal sent
        for _ in range(MANY):
            await context.write(b"x" * 64 * 1024)
            sent += 1

    async with ways(Echo(script), Gateway(settings={"limits": {"response_bytes": "64MiB"}}), sockets) as both:
        rpc = both.through.stream_stream(DOWN)(timeout=60)
        await rpc.write(HI)
        assert await stands_still(lambda: sent) < ROOM
        assert len((await seen(rpc)).messages) == MANY
    assert sent == MANY


async def test_silence_of_the_target_ends_a_call(sockets: Path) -> None:
    async def script(context: Any) -> None:
        while (message := await context.read()) is not grpc.aio.EOF:
            await context.write(message)
        await asyncio.Event().wait()

    limits = {"limits": {"first_event": "200ms", "idle": "200ms"}}
    service = Echo(script)
    async with ways(service, Gateway(settings=limits), sockets) as both:
        for messages, expected in (([], "FIRST_EVENT_TIMEOUT"), ([HI], "IDLE_TIMEOUT")):
            rpc = both.through.stream_stream(BOTH)(timeout=20)
            for message in messages:
                await rpc.write(message)
            await rpc.done_writing()
            assert reason(await failure(rpc)) == expected
        await service.reached(lambda: service.ended == service.started == 2)


def deny(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "allow": False,
        "reasons": [{"rule": "grants.echo.x", "message": f"Not {document['args']}.", "field": "args.text"}],
        "obligations": {},
    }


async def test_policy_sees_kind_method_and_arguments(sockets: Path) -> None:
    service, gateway = Echo(), Gateway(described=True)
    async with ways(service, gateway, sockets) as both:
        for method in (UNARY, BOTH):
            assert (await ask(both.through, method, [HI])).code is grpc.StatusCode.OK
    asked = [
        (document["call"]["method"], document["target"], document["args"]) for document in gateway.engine.documents
    ]
    target = {"name": "echo", "kind": "service", "effect": "MUTATING"}
    assert asked == [(UNARY, target, {"text": "hi"}), (BOTH, target, None)]


async def test_a_denial_names_rule_and_field_and_nothing_reaches_the_target(sockets: Path) -> None:
    service = Echo()
    async with ways(service, Gateway(described=True, answer=deny({"args": "so"})), sockets) as both:
        for method in (UNARY, DOWN, UP, BOTH):
            rpc = both.through.stream_stream(method)(timeout=20)
            await rpc.write(HI)
            error = await failure(rpc)
            info = details(error)["ErrorInfo"]
            assert (error.code(), info.reason) == (grpc.StatusCode.PERMISSION_DENIED, "POLICY_DENIED")
            assert (info.metadata["rule"], info.metadata["field"]) == ("grants.echo.x", "args.text")
    assert service.started == 0


@pytest.mark.parametrize("request_bytes", [b"\x98\x06\x01", b"\xff"])
async def test_what_policy_cannot_read_does_not_reach_the_target(sockets: Path, request_bytes: bytes) -> None:
    service, gateway = Echo(), Gateway(described=True)
    async with ways(service, gateway, sockets) as both:
        assert await refused(both.through, UNARY, [request_bytes]) == "REQUEST_MALFORMED"
        # Where nothing describes the messages, they pass as they are.
        assert (await ask(both.through, BOTH, [request_bytes])).messages == [request_bytes]
    assert service.started == 1


READ = {"effect": "READ", "retry": {"budget_ratio": 1.0, "backoff": "1ms", "backoff_max": "1ms"}}


async def test_a_plain_unavailable_is_tried_again_and_the_caller_does_not_notice(sockets: Path) -> None:
    async def script(context: Any) -> None:
        if service.started < 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        await context.write(await context.read())

    service = Echo(script)
    async with ways(service, Gateway(settings=READ, described=True), sockets) as both:
        found = await ask(both.through, UNARY, [HI])
    assert (found.code, found.messages, service.started) == (grpc.StatusCode.OK, [HI], 3)


async def test_what_the_caller_has_seen_a_part_of_is_not_tried_again(sockets: Path) -> None:
    async def heads(context: Any) -> None:
        await context.read()
        await context.send_initial_metadata((("x-head", "1"),))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "busy")

    async def answers(context: Any) -> None:
        await context.write(HI)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "busy")

    for script in (heads, answers):
        service = Echo(script)
        async with ways(service, Gateway(settings=READ, described=True), sockets) as both:
            found = await ask(both.through, DOWN, [HI])
        assert (found.code, found.text, service.started) == (grpc.StatusCode.UNAVAILABLE, "busy", 1)


async def test_the_breaker_opens_on_what_a_service_says_of_itself(sockets: Path) -> None:
    async def script(context: Any) -> None:
        await context.abort(grpc.StatusCode.INTERNAL, "broken")

    gateway = Gateway(settings={"breaker": {"minimum_calls": 2}})
    service = Echo(script)
    async with ways(service, gateway, sockets) as both:
        for _ in range(2):
            assert (await ask(both.through, BOTH, [HI])).text == "broken"
        assert await refused(both.through, BOTH, [HI]) == "CIRCUIT_OPEN"
    assert service.started == 2
    assert [snapshot.state for snapshot in gateway.breakers.snapshots().values()] == [BreakerState.OPEN]


async def test_unknown_methods_of_one_caller_cut_nobody_off(sockets: Path) -> None:
    async with ways(Echo(), Gateway(settings={"breaker": {"minimum_calls": 2}}), sockets) as both:
        for _ in range(4):
            assert (await ask(both.through, "/acme.Echo/MadeUp", [HI])).code is grpc.StatusCode.UNIMPLEMENTED
        assert (await ask(both.through, BOTH, [HI])).code is grpc.StatusCode.OK


@pytest.mark.parametrize(("described", "method"), [(True, UNARY), (False, UNARY), (False, BOTH)])
async def test_where_the_journal_is_required_no_status_leaves_before_the_record(
    sockets: Path, described: bool, method: str
) -> None:
    journal = FakeJournal(required=True, durable=asyncio.Event())
    assert journal.durable is not None
    async with ways(Echo(), Gateway(described=described, journal=journal), sockets) as both:
        rpc = both.through.stream_stream(method)(timeout=20)
        await rpc.write(HI)
        await rpc.done_writing()
        reading = asyncio.create_task(seen(rpc))
        async with asyncio.timeout(10):
            while not journal.calls:
                await asyncio.sleep(0.005)
        assert not reading.done()
        journal.durable.set()
        found = await reading
    assert (found.code, found.messages) == (grpc.StatusCode.OK, [HI])
    assert journal.shown == [HI]
    assert journal.asked_for == ([] if described else [HI])
    assert len(journal.announced) == 1


async def test_what_a_call_was_goes_on_record(sockets: Path) -> None:
    gateway = Gateway()
    async with ways(Echo(), gateway, sockets) as both:
        await ask(both.through, BOTH, [HI, HI, HI])
    (call,) = gateway.recorder.calls
    facts = call.facts
    assert (facts.requests, facts.request_bytes) == (3, 3 * len(HI))
    assert (facts.events, facts.response_bytes) == (3, 3 * len(HI))
    assert (facts.target, facts.headed, len(facts.attempts)) == ("echo", True, 1)
