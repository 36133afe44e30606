"""Routed services over real sockets: a caller sees the same through the gateway as direct."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway.errors import CallError
from gateway.service import Finish
from tests.contract.edge import reason
from tests.contract.routed import (
    BOTH,
    DOWN,
    KINDS,
    UNARY,
    UP,
    Channel,
    Echo,
    Gateway,
    Seen,
    Ways,
    ask,
    said,
    seen,
    ways,
)

HI = said("hi")
DETAILS = b"\x08\x02\x12\x03own\xff"


async def same(both: Ways, work: Callable[[Any], Awaitable[Seen]]) -> Seen:
    """What `work` sees over either way."""
    direct, through = await work(both.direct), await work(both.through)
    assert through == direct
    return direct


async def _fails(context: Any) -> None:
    await context.read()
    await context.abort(
        grpc.StatusCode.UNKNOWN,
        "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n",
        (("x-why", "because"), ("x-raw-bin", b"\x00\xff"), ("grpc-status-details-bin", DETAILS)),
    )


async def _heads(context: Any) -> None:
    await context.send_initial_metadata((("x-head", "1"), ("x-head", "2"), ("x-head-bin", b"\xab\x00")))
    await _echoes(context)


async def _echoes(context: Any) -> None:
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(message)
    context.set_trailing_metadata((("x-tail", "t"), ("x-tail-bin", b"\xff")))


async def _fails_with_head(context: Any) -> None:
    await context.read()
    await context.send_initial_metadata((("x-head", "1"),))
    await context.abort(grpc.StatusCode.OUT_OF_RANGE, "too far", (("x-tail", "t"),))


async def _fails_late(context: Any) -> None:
    await context.write(b"one")
    await context.abort(grpc.StatusCode.DATA_LOSS, "lost")


async def _nothing(context: Any) -> None:
    pass


async def _slow_down(context: Any) -> None:
    await context.read()
    for number in range(20):
        await context.write(str(number).encode())


SCRIPTS = (_echoes, _heads, _fails, _fails_with_head, _fails_late, _nothing, _slow_down)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("method", KINDS)
@pytest.mark.parametrize("described", [False, True])
async def test_a_call_of_each_kind_is_as_direct(sockets: Path, script: Any, method: str, described: bool) -> None:
    messages = [HI, HI] if method in (UP, BOTH) else [HI]
    async with ways(Echo(script), Gateway(described=described), sockets) as both:
        await same(both, lambda channel: ask(channel, method, messages))


async def test_a_call_without_messages_is_as_direct(sockets: Path) -> None:
    async with ways(Echo(), Gateway(), sockets) as both:
        found = await same(both, lambda channel: ask(channel, BOTH, []))
    assert found.code is grpc.StatusCode.OK


async def test_each_message_goes_before_the_next_is_sent(sockets: Path) -> None:
    async def ping_pong(channel: Any) -> Seen:
        rpc = channel.stream_stream(BOTH)(timeout=20)
        for number in range(5):
            await rpc.write(str(number).encode())
            assert await rpc.read() == str(number).encode()
        await rpc.done_writing()
        return await seen(rpc)

    async with ways(Echo(), Gateway(), sockets) as both:
        await same(both, ping_pong)


@pytest.mark.parametrize("metadata", [(), (("x-head", "early"),)])
@pytest.mark.parametrize("method", [DOWN, BOTH])
@pytest.mark.parametrize("described", [False, True])
async def test_initial_metadata_comes_before_any_message(
    sockets: Path, metadata: Any, method: str, described: bool
) -> None:
    goes_on = asyncio.Event()

    async def script(context: Any) -> None:
        await context.send_initial_metadata(metadata)
        await goes_on.wait()

    async def work(channel: Any) -> Seen:
        goes_on.clear()
        rpc = channel.stream_stream(method)(timeout=20)
        await rpc.write(HI)
        assert [tuple(entry) for entry in await rpc.initial_metadata()] == list(metadata)
        goes_on.set()
        return await seen(rpc)

    async with ways(Echo(script), Gateway(described=described), sockets) as both:
        await same(both, work)


async def test_the_callers_metadata_goes_to_the_target_but_for_what_is_firebreaks_or_one_hops(sockets: Path) -> None:
    sent = (
        ("x-own", "1"),
        ("x-own", "2"),
        ("acme-tenant", "t"),
        ("acme-bin", b"\xff\x00"),
        ("baggage", "k=v"),
        ("authorization", "Bearer secret"),
        ("firebreak-session", "stolen"),
        ("proxy-authorization", "basic"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    )
    service = Echo()
    async with ways(service, Gateway(), sockets) as both:
        await ask(both.through, UNARY, [HI], sent)
    got = [entry for entry in service.metadata[0] if entry[0] != "user-agent"]
    assert [key for key, _ in got if key == "firebreak-call-id"] == ["firebreak-call-id"]
    assert sorted(entry for entry in got if not entry[0].startswith("firebreak-")) == [
        ("acme-bin", b"\xff\x00"),
        ("acme-tenant", "t"),
        ("baggage", "k=v"),
        ("traceparent", "00-trace-span-01"),
        ("x-own", "1"),
        ("x-own", "2"),
    ]


async def test_a_target_cannot_speak_in_firebreaks_name(sockets: Path) -> None:
    async def script(context: Any) -> None:
        await context.send_initial_metadata((("firebreak-x", "forged"), ("x-a", "1")))
        context.set_trailing_metadata((("firebreak-call-id", "forged"), ("x-b", "2")))

    async with ways(Echo(script), Gateway(), sockets) as both:
        rpc = both.through.stream_stream(UNARY)(timeout=20)
        await rpc.done_writing()
        found = await seen(rpc)
        ids = [value for key, value in await rpc.trailing_metadata() if key == "firebreak-call-id"]
    assert (found.initial, found.trailers) == ([("x-a", "1")], [("x-b", "2")])
    assert len(ids) == 1
    assert ids != ["forged"]


@pytest.mark.parametrize("timeout", [None, 15.0])
async def test_the_deadline_reaches_the_target(sockets: Path, timeout: float | None) -> None:
    left: list[float] = []

    async def script(context: Any) -> None:
        left.append(context.time_remaining())

    async with ways(Echo(script), Gateway(settings={"limits": {"deadline": "10s"}}), sockets) as both:
        rpc = both.through.stream_stream(BOTH)(timeout=timeout)
        await seen(rpc)
    assert 5 < left[0] < (timeout or 10.0) + 0.1


async def test_a_target_that_sleeps_ends_with_the_callers_deadline(sockets: Path) -> None:
    async def script(context: Any) -> None:
        await asyncio.Event().wait()

    service = Echo(script)
    async with ways(service, Gateway(), sockets) as both:
        found = await ask(both.through, BOTH, [HI], timeout=0.3)
        await service.reached(lambda: service.ended == service.started)
    assert found.code is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("first", [False, True])
async def test_a_callers_cancellation_reaches_the_target(sockets: Path, first: bool) -> None:
    ends: list[str] = []

    async def script(context: Any) -> None:
        try:
            while (message := await context.read()) is not grpc.aio.EOF:
                await context.write(message)
            await context.read()  # see gateway.exchange: a cancellation is here by now
            ends.append("half-closed")
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    service = Echo(script)
    async with ways(service, Gateway(), sockets) as both:
        for channel in (both.direct, both.through):
            before, heard = service.started, len(ends)
            rpc = channel.stream_stream(BOTH)(timeout=20)
            await rpc.write(HI)
            if first:
                assert await rpc.read() == HI
            await service.reached(lambda: service.started > before)  # noqa: B023 - called at once
            rpc.cancel()
            assert (await rpc.code()) is grpc.StatusCode.CANCELLED
            await service.reached(lambda: len(ends) > heard)  # noqa: B023 - called at once
    assert ends == ["cancelled", "cancelled"]


async def test_a_cancelled_upload_never_looks_complete_to_the_target(sockets: Path) -> None:
    """grpc reads a cancelled call as one whose caller has said everything: the gateway must not pass that on."""
    uploads: list[int] = []

    async def script(context: Any) -> None:
        got = 0
        while await context.read() is not grpc.aio.EOF:
            got += 1
        await context.read()  # see gateway.exchange: only a call that was not cancelled gets past this
        uploads.append(got)

    service = Echo(script)
    async with ways(service, Gateway(settings={"breaker": {"minimum_calls": 1000}}), sockets) as both:

        async def upload(cancel: bool) -> None:
            rpc = both.through.stream_stream(UP)(timeout=20)
            await rpc.write(HI)
            await rpc.write(HI)
            if not cancel:
                await rpc.write(HI)
                await rpc.done_writing()
                await seen(rpc)
            rpc.cancel()

        for _ in range(10):
            await asyncio.gather(*(upload(cancel=n % 2 == 0) for n in range(20)))
        await service.reached(lambda: service.ended == service.started)
    assert set(uploads) == {3}
    assert len(uploads) == 100


UNBOUNDED = {"concurrency": 100, "rate": {"per_second": 100_000, "burst": 100_000}}
"""Limits that callers do not reach, however fast the machine is."""


async def test_whenever_a_caller_goes_nothing_breaks(sockets: Path, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(7)

    async def script(context: Any) -> None:
        if chance.random() < 0.2:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no", (("x-why", "because"),))
        if chance.random() < 0.3:
            await context.send_initial_metadata((("x-head", "1"),))
        await _echoes(context)

    async def caller(channel: Channel) -> None:
        rpc = channel.stream_stream(BOTH)(timeout=chance.choice([0.01, 0.02, 20]))
        try:
            for _ in range(chance.randrange(4)):
                await rpc.write(b"x" * chance.randrange(20_000))
                if chance.random() < 0.3:
                    await rpc.read()
            if chance.random() < 0.3:
                rpc.cancel()
            await rpc.done_writing()
            await seen(rpc)
        except (grpc.aio.AioRpcError, grpc.aio.InternalError, asyncio.InvalidStateError, asyncio.CancelledError):
            pass  # it ended while it wrote

    service, gateway = (
        Echo(script),
        Gateway(settings={"limits": UNBOUNDED, "breaker": {"minimum_calls": 1000}}),
    )
    async with ways(service, gateway, sockets) as both:
        for _ in range(10):
            await asyncio.gather(*(caller(both.through) for _ in range(40)))
        await service.reached(lambda: service.ended == service.started)
    ends = {
        outcome.code.name if isinstance(outcome, Finish | CallError) else type(outcome).__name__
        for outcome in gateway.recorder.outcomes
    }
    assert {"OK", "NOT_FOUND"} <= ends <= {"OK", "NOT_FOUND", "CancelledError", "DEADLINE_EXCEEDED"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_target_may_end_while_its_caller_still_sends(sockets: Path) -> None:
    async def script(context: Any) -> None:
        await context.read()
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "enough")

    async def work(channel: Any) -> Seen:
        rpc = channel.stream_stream(BOTH)(timeout=20)
        await rpc.write(HI)
        return await seen(rpc)

    gateway = Gateway()
    async with ways(Echo(script), gateway, sockets) as both:
        found = await same(both, work)
    assert (found.code, found.text) == (grpc.StatusCode.FAILED_PRECONDITION, "enough")


@pytest.mark.parametrize("method", ["/acme.Echo/Missing", "/acme.Gone/Any"])
async def test_what_the_target_does_not_have_it_says_itself(sockets: Path, method: str) -> None:
    async with ways(Echo(), Gateway(), sockets) as both:
        found = await same(both, lambda channel: ask(channel, method, [HI]))
    assert found.code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("method", "described"), [("/acme.Echo/Missing", True), ("/acme.Other/Unary", False), ("/acme.Echo/", False)]
)
async def test_what_is_not_routed_is_unknown(sockets: Path, method: str, described: bool) -> None:
    service = Echo()
    async with ways(service, Gateway(described=described), sockets) as both:
        rpc = both.through.unary_unary(method)(HI, timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc
    assert reason(caught.value) == "METHOD_UNKNOWN"
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert not service.started


async def test_a_target_that_is_not_there_is_unavailable_and_its_address_stays_unsaid(sockets: Path) -> None:
    listener = f"unix:{sockets}/edge.sock"
    async with (
        Gateway().before(f"unix:{sockets}/nobody.sock", listener),
        grpc.aio.insecure_channel(listener) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(UNARY)(HI, timeout=20)
    assert reason(caught.value) == "TARGET_UNAVAILABLE"
    assert "nobody" not in str(caught.value)


async def test_a_connection_that_breaks_is_no_status_of_the_targets(sockets: Path) -> None:
    breaks = asyncio.Event()

    async def script(context: Any) -> None:
        await context.write(b"one")
        await asyncio.Event().wait()

    async def between(reader: Any, writer: Any) -> None:
        """A connection to the service that is cut when the test says so."""
        other_reader, other_writer = await asyncio.open_unix_connection(f"{sockets}/echo.sock")
        pipes = [asyncio.create_task(pipe(*ends)) for ends in ((reader, other_writer), (other_reader, writer))]
        await breaks.wait()
        for each in pipes:
            each.cancel()
        writer.transport.abort()
        other_writer.close()

    async def pipe(source: Any, sink: Any) -> None:
        while data := await source.read(65536):
            sink.write(data)

    listener = f"unix:{sockets}/edge.sock"
    async with (
        Echo(script).serving(f"unix:{sockets}/echo.sock"),
        await asyncio.start_unix_server(between, f"{sockets}/between.sock"),
        Gateway().before(f"unix:{sockets}/between.sock", listener),
        grpc.aio.insecure_channel(listener) as channel,
    ):
        rpc = channel.stream_stream(BOTH)(timeout=20)
        assert await rpc.read() == b"one"
        breaks.set()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.read()
    assert reason(caught.value) == "TARGET_UNAVAILABLE"
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_large_message_each_way_is_as_direct(sockets: Path) -> None:
    limits = {"limits": {"request_bytes": "2MiB", "response_bytes": "2MiB"}}
    async with ways(Echo(), Gateway(settings=limits), sockets) as both:
        found = await same(both, lambda channel: ask(channel, BOTH, [b"x" * 1_000_000, b"y" * 900_000]))
    assert [len(each) for each in found.messages] == [1_000_000, 900_000]


async def test_a_compressed_request_arrives(sockets: Path) -> None:
    async with ways(Echo(), Gateway(), sockets) as both:
        for channel in (both.direct, both.through):
            rpc = channel.unary_stream(UNARY)(b"z" * 100_000, compression=grpc.Compression.Gzip, timeout=20)
            assert await rpc.read() == b"z" * 100_000
