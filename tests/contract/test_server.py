"""The listener over real sockets: what comes in reaches the chain whole, and every call gets exactly one end."""

from __future__ import annotations

import asyncio
import socket

import grpc
import grpc.aio
import pytest

from gateway.call import Call
from gateway.config import Listener
from gateway.errors import CallError, Code, FieldViolation, Reason
from gateway.ids import call_ids
from gateway.running import Running
from gateway.server import Edge, ServerLimits, make_server
from gateway.service import Filter, Finish, Send, Service
from tests.contract.edge import LIMITS, STREAM, UNARY, Chain, details, echo, failure, listening, reason


async def test_a_unary_call_and_its_metadata_arrive_as_they_were_sent(address: str) -> None:
    chain = Chain(echo)
    async with listening(chain, address), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(UNARY)(
            b"\xff\x00raw", metadata=(("x-a", "1"), ("x-a", "2"), ("x-raw-bin", b"\xfe"), ("authorization", "Bearer t"))
        )
        assert await call == b"\xff\x00raw"
        trailers = dict(await call.trailing_metadata())
    seen = chain.calls[0]
    assert seen.method.name == UNARY
    assert seen.listener == "public"
    assert [item for item in seen.metadata if item[0] == "x-a"] == [("x-a", "1"), ("x-a", "2")]
    assert ("x-raw-bin", b"\xfe") in seen.metadata
    assert seen.header("authorization") == "Bearer t"
    assert seen.deadline.at == float("inf")
    assert trailers["firebreak-call-id"] == seen.id


async def test_a_stream_keeps_its_order_and_ends_with_the_targets_trailers(address: str) -> None:
    async def count(call: Call, send: Send) -> Finish:
        for number in range(500):
            await send(str(number).encode())
        return Finish(trailers=(("x-target", "yes"),))

    async with listening(Chain(count), address), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_stream(STREAM)(b"")
        assert [int(message) async for message in call] == list(range(500))
        assert dict(await call.trailing_metadata())["x-target"] == "yes"


async def test_a_slow_reader_slows_the_chain(address: str) -> None:
    sent = 0

    async def flood(call: Call, send: Send) -> Finish:
        nonlocal sent
        while sent < 20_000:
            await send(b"x" * 65_536)
            sent += 1
        return Finish()

    async with listening(Chain(flood), address), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_stream(STREAM)(b"")
        for received in range(1, 200):
            await call.read()
            assert sent - received < 400, "the server buffers what the caller has not read"
        call.cancel()


async def test_cancelling_the_call_cancels_the_chain(address: str) -> None:
    started = asyncio.Event()

    async def hang(call: Call, send: Send) -> Finish:
        started.set()
        await asyncio.Event().wait()
        return Finish()

    running = Running()
    chain = Chain(hang)
    async with listening(chain, address, running=running), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(UNARY)(b"")
        task = asyncio.ensure_future(failure(call))
        async with asyncio.timeout(10):
            await started.wait()
            task.cancel()
            await chain.cancelled.wait()
            await running.finished()
    assert len(running) == 0


async def test_a_stream_whose_reader_left_is_cancelled_in_send(address: str) -> None:
    async def flood(call: Call, send: Send) -> Finish:
        while True:
            await send(b"x" * 65_536)

    chain = Chain(flood)
    async with listening(chain, address), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_stream(STREAM)(b"")
        await call.read()
        call.cancel()
        async with asyncio.timeout(10):
            await chain.cancelled.wait()


async def test_the_deadline_reaches_the_chain_and_ends_the_call(address: str) -> None:
    async def hang(call: Call, send: Send) -> Finish:
        await asyncio.Event().wait()
        return Finish()

    chain = Chain(hang)
    async with listening(chain, address), grpc.aio.insecure_channel(address) as channel:
        before = asyncio.get_running_loop().time()
        error = await failure(channel.unary_unary(UNARY)(b"", timeout=0.3))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(10):
            await chain.cancelled.wait()
    assert 0.2 < chain.calls[0].deadline.at - before < 0.6


@pytest.mark.parametrize("method", [UNARY, STREAM])
async def test_a_call_error_arrives_with_all_its_details(address: str, method: str) -> None:
    async def refuse(call: Call, send: Send) -> Finish:
        raise CallError(
            Reason.ARGUMENTS_INVALID,
            "args.a is größer\nthan allowed",
            metadata={"target": "calculator"},
            fields=(FieldViolation("args.a", "is too large"),),
            retry_after=1.5,
            quota="target:calculator",
        )

    chain = Chain(refuse)
    async with listening(chain, address), grpc.aio.insecure_channel(address) as channel:
        multi = channel.unary_unary(method) if method == UNARY else channel.unary_stream(method)
        error = await failure(multi(b""))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "args.a is größer\nthan allowed"
    unpacked = details(error)
    assert dict(unpacked["ErrorInfo"].metadata) == {"target": "calculator", "call_id": chain.calls[0].id}
    assert unpacked["BadRequest"].field_violations[0].field == "args.a"
    assert unpacked["RetryInfo"].retry_delay.ToMilliseconds() == 1500
    assert unpacked["QuotaFailure"].violations[0].subject == "target:calculator"
    assert dict(error.trailing_metadata())["firebreak-call-id"] == chain.calls[0].id


async def test_a_targets_own_finish_is_passed_on_as_it_is(address: str) -> None:
    async def fail(call: Call, send: Send) -> Finish:
        await send(b"one")
        return Finish(Code.FAILED_PRECONDITION, "not now", (("grpc-status-details-bin", b"\x08\x09"), ("x-t", "v")))

    async with listening(Chain(fail), address), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_stream(STREAM)(b"")
        assert await call.read() == b"one"
        error = await failure(call)
    trailers = dict(error.trailing_metadata())
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not now")
    assert (trailers["grpc-status-details-bin"], trailers["x-t"]) == (b"\x08\x09", "v")


async def _crash(call: Call, send: Send) -> Finish:
    raise RuntimeError("secret of /etc/passwd")


async def _cancelled_within(call: Call, send: Send) -> Finish:
    raise asyncio.CancelledError


async def _silent(call: Call, send: Send) -> Finish:
    return Finish()


async def _twice(call: Call, send: Send) -> Finish:
    await send(b"1")
    await send(b"2")
    return Finish()


@pytest.mark.parametrize("bug", [_crash, _cancelled_within, _silent, _twice])
async def test_a_bug_never_looks_like_ok_and_tells_nothing(address: str, bug: object) -> None:
    async with listening(Chain(bug), address), grpc.aio.insecure_channel(address) as channel:  # type: ignore[arg-type]
        error = await failure(channel.unary_unary(UNARY)(b"", timeout=10))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert reason(error) == "INTERNAL"
    assert "secret" not in str(error)


@pytest.mark.parametrize("method", ["/firebreak.v1.ToolService/Nope", "/x", "/a.B/C"])
async def test_an_unknown_method_says_so_to_every_kind_of_call(address: str, method: str) -> None:
    async with listening(Chain(echo), address), grpc.aio.insecure_channel(address) as channel:
        calls = (channel.unary_unary(method)(b"x"), channel.unary_stream(method)(b"x"), channel.stream_stream(method)())
        for call in calls:
            error = await failure(call)
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
            assert reason(error) == "METHOD_UNKNOWN"


@pytest.mark.parametrize(
    ("asked", "kept"),
    [("/a.B/C", "/a.B/C"), ("/" + "x" * 199, "/" + "x" * 199), ("/" + "x" * 200, "/" + "x" * 199), ("/a\tb", "/a?b")],
)
async def test_an_unknown_method_goes_on_record_by_a_name_of_bounded_length(
    address: str, asked: str, kept: str
) -> None:
    seen: list[Call] = []
    async with (
        listening(Chain(echo), address, refused=seeing(seen)),
        grpc.aio.insecure_channel(address) as channel,
    ):
        assert reason(await failure(channel.unary_unary(asked)(b"x", timeout=10))) == "METHOD_UNKNOWN"
    assert [(made.method.name, made.method.kind, made.request) for made in seen] == [(kept, None, b"")]


def seeing(seen: list[Call]) -> Filter:
    """A stage that keeps the calls which pass it."""

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            seen.append(call)
            return await service(call, send)

        return serve

    return wrap


async def test_giant_metadata_is_refused_and_the_next_call_served(address: str) -> None:
    chain = Chain(echo)
    async with listening(chain, address), grpc.aio.insecure_channel(address) as channel:
        error = await failure(channel.unary_unary(UNARY)(b"", metadata=(("x-big", "x" * 1_000_000),)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await channel.unary_unary(UNARY)(b"ok", metadata=(("x-fits", "x" * 8_000),)) == b"ok"
    assert len(chain.calls) == 1


async def test_a_giant_message_is_refused_and_the_next_call_served(address: str) -> None:
    chain = Chain(echo)
    async with listening(chain, address), grpc.aio.insecure_channel(address) as channel:
        error = await failure(channel.unary_unary(UNARY)(b"x" * (LIMITS.message_bytes + 1)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await channel.unary_unary(UNARY)(b"ok") == b"ok"
    assert len(chain.calls) == 1


async def test_a_call_without_its_message_is_refused(address: str) -> None:
    chain, seen = Chain(echo), list[Call]()
    async with listening(chain, address, refused=seeing(seen)), grpc.aio.insecure_channel(address) as channel:
        for method in (UNARY, STREAM):
            error = await failure(channel.stream_stream(method)(iter(()), timeout=10))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert reason(error) == "REQUEST_MALFORMED"
    assert chain.calls == []
    assert [made.method.name for made in seen] == [UNARY, STREAM]


async def test_a_caller_that_never_sends_its_message_is_not_waited_for(address: str) -> None:
    chain = Chain(echo)
    limits = ServerLimits(message_bytes=1024, streams=10, request_seconds=0.05)
    async with listening(chain, address, limits=limits), grpc.aio.insecure_channel(address) as channel:
        error = await failure(channel.stream_stream(UNARY)(timeout=10))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await channel.unary_unary(UNARY)(b"ok") == b"ok"


async def test_many_calls_at_once_each_get_their_own_answer(address: str) -> None:
    async with listening(Chain(echo), address), grpc.aio.insecure_channel(address) as channel:
        multi = channel.unary_unary(UNARY)
        answers = await asyncio.gather(*(multi(str(number).encode()) for number in range(300)))
    assert answers == [str(number).encode() for number in range(300)]


async def test_stopping_the_server_cancels_what_still_runs(address: str) -> None:
    started = asyncio.Event()

    async def hang(call: Call, send: Send) -> Finish:
        started.set()
        await asyncio.Event().wait()
        return Finish()

    chain = Chain(hang)
    async with listening(chain, address) as bound, grpc.aio.insecure_channel(address) as channel:
        task = asyncio.ensure_future(failure(channel.unary_unary(UNARY)(b"")))
        async with asyncio.timeout(10):
            await started.wait()
            await bound.server.stop(0)
            await chain.cancelled.wait()
            assert (await task).code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


async def test_an_address_in_use_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listener = Listener(name="public", address=f"127.0.0.1:{taken.getsockname()[1]}", accept=("jwt",))
        edge = Edge(
            listener,
            {},
            lambda service: service,
            {},
            lambda _name: None,
            Running(),
            asyncio.get_running_loop().time,
            call_ids(),
            ServerLimits(1024, 10),
        )
        with pytest.raises(OSError, match="cannot listen on 127"):
            make_server(listener, edge, ServerLimits(1024, 10), None)
