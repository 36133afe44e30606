"""Callers who do not send, do not read or do nothing: what each of them may cost is bounded, and the others do not notice."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import grpc.aio
import pytest

from cli.gameday.raw_http2 import DATA, RawClient
from gateway.call import Call
from gateway.errors import CallError, Reason
from gateway.server import ServerLimits, share_of_connections
from gateway.service import Finish, Send
from tests.contract.edge import STREAM, UNARY, Chain, details, echo, failure, listening, reason

LIMITS = ServerLimits(message_bytes=1024 * 1024, streams=1000)
OWN = (("grpc.use_local_subchannel_pool", 1),)


@contextmanager
def raw(address: str, window: int = 8) -> Iterator[RawClient]:
    client = RawClient(address, window)
    try:
        yield client
    finally:
        client.close()


async def seen(client: RawClient, kind: int, seconds: float = 10.0) -> bool:
    """Whether a frame of this kind comes before the connection ends."""
    return await asyncio.to_thread(lambda: any(each == kind for each in client.frames(seconds)))


async def test_of_too_many_who_send_nothing_the_one_that_waits_longest_is_let_go(address: str) -> None:
    limits = ServerLimits(message_bytes=1024, streams=2, request_seconds=60.0)
    async with listening(Chain(echo), address, limits=limits) as _:
        channels = [grpc.aio.insecure_channel(address, options=OWN) for _ in range(3)]
        calls = [channels[0].stream_stream(UNARY)(timeout=10)]
        await calls[0].wait_for_connection()
        # Connections are read side by side: what is answered on the same one says that the call before it is waited for.
        assert await channels[0].unary_unary(UNARY)(b"ok", timeout=10) == b"ok"
        calls += [channel.stream_stream(UNARY)(timeout=10) for channel in channels[1:]]
        assert reason(await failure(calls[0])) == "REQUEST_MALFORMED"
        assert await channels[0].unary_unary(UNARY)(b"ok", timeout=10) == b"ok"
        for each in channels:
            await each.close()


async def test_as_many_as_may_wait_are_waited_for(address: str) -> None:
    limits = ServerLimits(message_bytes=1024, streams=2, request_seconds=60.0)
    async with listening(Chain(echo), address, limits=limits), grpc.aio.insecure_channel(address) as channel:
        calls = [channel.stream_stream(UNARY)(timeout=10) for _ in range(2)]
        for each in calls:
            await each.wait_for_connection()
        for number, each in enumerate(calls):
            await each.write(str(number).encode())
            assert await each.read() == str(number).encode()


async def test_a_stream_that_nobody_reads_is_ended(address: str) -> None:
    ended: list[CallError] = []

    async def flood(call: Call, send: Send) -> Finish:
        try:
            while True:
                await send(b"x" * 65_536)
        except CallError as error:
            ended.append(error)
            raise

    limits = ServerLimits(message_bytes=1024, streams=10, read_seconds=0.2)
    async with listening(Chain(flood), address, limits=limits), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_stream(STREAM)(b"", timeout=20)
        await call.read()
        async with asyncio.timeout(10):
            while not ended:
                await asyncio.sleep(0.01)
        assert ended[0].reason is Reason.IDLE_TIMEOUT
        assert "Nobody read" in ended[0].message
        call.cancel()


async def test_a_stream_that_is_read_in_time_goes_on(address: str) -> None:
    async def some(call: Call, send: Send) -> Finish:
        for _ in range(12):
            await send(b"x" * 65_536)
        return Finish()

    limits = ServerLimits(message_bytes=1024, streams=10, read_seconds=1.0)
    async with listening(Chain(some), address, limits=limits), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_stream(STREAM)(b"", timeout=20)
        for _ in range(12):
            await asyncio.sleep(0.1)
            assert len(await call.read()) == 65_536


async def big(call: Call, send: Send) -> Finish:
    call.facts.principal = call.header("x-principal") or ""
    await send(b"x" * 600_000)
    return Finish()


@pytest.mark.parametrize(("limit", "refused"), [(1_200_000, False), (1_199_999, True)])
async def test_who_does_not_read_gets_no_more_until_it_has(address: str, limit: int, refused: bool) -> None:
    limits = ServerLimits(message_bytes=1024, streams=10, unread_bytes=limit)
    ada, bob = (("x-principal", "user:ada"),), (("x-principal", "user:bob"),)
    async with listening(Chain(big), address, limits=limits), grpc.aio.insecure_channel(address) as channel:
        ask = channel.unary_unary(UNARY)
        with raw(address) as slow:
            slow.begin(UNARY, ada)
            slow.say(b"")
            assert await seen(slow, DATA)
            if refused:
                error = await failure(ask(b"", metadata=ada, timeout=10))
                assert reason(error) == "OVERLOADED"
                assert details(error)["RetryInfo"].retry_delay.ToMilliseconds() == 1000
                assert "600000 bytes" in error.details()
            else:
                assert len(await ask(b"", metadata=ada, timeout=10)) == 600_000
            assert len(await ask(b"", metadata=bob, timeout=10)) == 600_000
        async with asyncio.timeout(10):
            while await answered(ask(b"", metadata=ada, timeout=10)) is None:
                await asyncio.sleep(0.01)


async def answered(call: grpc.aio.UnaryUnaryCall) -> bytes | None:
    try:
        return bytes(await call)
    except grpc.aio.AioRpcError:
        return None


def turned_away(address: str) -> bool:
    """Whether a new connection is closed before anything was said, perhaps while we say hello."""
    try:
        with raw(address) as client:
            return list(client.frames(10.0)) == []
    except BrokenPipeError:
        return True


async def test_connections_beyond_the_limit_are_closed_at_once_and_the_others_served(address: str) -> None:
    limits = ServerLimits(message_bytes=1024, streams=10, connections=3)
    async with (
        listening(Chain(echo), address, limits=limits),
        grpc.aio.insecure_channel(address, options=OWN) as channel,
    ):
        assert await channel.unary_unary(UNARY)(b"ok", timeout=10) == b"ok"
        with raw(address) as one, raw(address):
            assert await asyncio.to_thread(turned_away, address)
            assert not one.closed()
            assert await channel.unary_unary(UNARY)(b"ok", timeout=10) == b"ok"
        async with grpc.aio.insecure_channel(address, options=OWN) as another:
            async with asyncio.timeout(10):
                while await answered(another.unary_unary(UNARY)(b"ok", timeout=10)) is None:
                    await asyncio.sleep(0.01)  # those that hung up are not gone yet


def test_listeners_share_the_descriptors_that_the_process_may_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 1024
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        assert share_of_connections(1) == min(hard, 16_384) * 3 // 4
        assert share_of_connections(2) == min(hard, 16_384) * 3 // 8
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
