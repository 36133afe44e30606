"""Calls out over real sockets: what the target sees, what comes back, and how each way of failing is told apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway.adapters.upstream import GrpcUpstream
from gateway.config import Limits
from gateway.core.deadline import NEVER, Deadline
from gateway.errors import CallError, Code, Reason
from gateway.service import Finish
from gateway.targets import Target
from tests.contract.backend import PREFIX, Backend, fail, serving, target

CALL, STREAM = PREFIX + "Call", PREFIX + "Stream"


@pytest.fixture
async def upstream() -> AsyncIterator[GrpcUpstream]:
    upstream = GrpcUpstream(asyncio.get_running_loop().time)
    yield upstream
    await upstream.close()


class Sink:
    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def __call__(self, message: bytes) -> None:
        self.messages.append(message)


async def ask(
    upstream: GrpcUpstream,
    to: Target,
    method: str = CALL,
    request: bytes = b"hi",
    deadline: Deadline = NEVER,
    **more: Any,
) -> tuple[Finish, list[bytes]]:
    sink = Sink()
    finish = await upstream.call(to, method, more.get("metadata", ()), request, deadline, method == STREAM, sink)
    return finish, sink.messages


async def test_a_unary_call_carries_bytes_and_metadata_and_brings_trailers_back(
    upstream: GrpcUpstream, sockets: Path
) -> None:
    backend = Backend()

    async def call(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-note", "kept"), ("x-raw-bin", b"\xff"), ("firebreak-call-id", "forged")))
        return request

    backend.call = call
    async with serving(backend, sockets / "s"):
        finish, messages = await ask(
            upstream,
            target(sockets / "s"),
            request=b"\xff\x00",
            metadata=(("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\xfe")),
        )
    assert messages == [b"\xff\x00"]
    assert finish == Finish(trailers=(("x-note", "kept"), ("x-raw-bin", b"\xff")))
    assert [item for item in backend.metadata[0] if item[0].startswith("x-")] == [
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-b-bin", b"\xfe"),
    ]


async def test_a_stream_keeps_its_order(upstream: GrpcUpstream, sockets: Path) -> None:
    async with serving(Backend(), sockets / "s"):
        finish, messages = await ask(upstream, target(sockets / "s"), STREAM)
    assert (finish, messages) == (Finish(), [b"hi0", b"hi1", b"hi2"])


async def test_a_slow_caller_slows_the_target(upstream: GrpcUpstream, sockets: Path) -> None:
    backend, sent, received = Backend(), 0, 0

    async def flood(request: bytes, context: Any) -> None:
        nonlocal sent
        while True:
            await context.write(b"x" * 65_536)
            sent += 1

    async def slow(message: bytes) -> None:
        nonlocal received
        received += 1
        await asyncio.sleep(0)
        assert sent - received < 400, "messages pile up between target and caller"
        if received == 300:
            raise CallError(Reason.RESPONSE_TOO_LARGE, "enough")

    backend.stream = flood
    async with serving(backend, sockets / "s"):
        with pytest.raises(CallError, match="enough"):
            await upstream.call(target(sockets / "s"), STREAM, (), b"", NEVER, True, slow)


async def test_the_deadline_is_passed_on_as_what_is_left(upstream: GrpcUpstream, sockets: Path) -> None:
    backend, left = Backend(), []

    async def call(request: bytes, context: Any) -> bytes:
        left.append(context.time_remaining())
        return b""

    backend.call = call
    now = asyncio.get_running_loop().time()
    async with serving(backend, sockets / "s"):
        await ask(upstream, target(sockets / "s"), deadline=Deadline(now + 5))
        await ask(upstream, target(sockets / "s"))
    assert left[0] == pytest.approx(5, abs=1)
    assert left[1] is None


async def test_an_expired_deadline_never_reaches_the_target(upstream: GrpcUpstream, sockets: Path) -> None:
    backend = Backend()
    async with serving(backend, sockets / "s"):
        with pytest.raises(CallError) as caught:
            await ask(upstream, target(sockets / "s"), deadline=Deadline(asyncio.get_running_loop().time()))
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert backend.metadata == []


@pytest.mark.parametrize("method", [CALL, STREAM])
async def test_cancelling_the_task_cancels_the_call_at_the_target(
    upstream: GrpcUpstream, sockets: Path, method: str
) -> None:
    backend, started, cancelled = Backend(), asyncio.Event(), asyncio.Event()

    async def hang(request: bytes, context: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    backend.call = backend.stream = hang
    async with serving(backend, sockets / "s"), asyncio.timeout(10):
        task = asyncio.ensure_future(ask(upstream, target(sockets / "s"), method))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await cancelled.wait()


@pytest.mark.parametrize("method", [CALL, STREAM])
async def test_a_targets_own_error_comes_back_as_it_is(upstream: GrpcUpstream, sockets: Path, method: str) -> None:
    backend = Backend()

    async def refuse(request: bytes, context: Any) -> None:
        await fail(context, grpc.StatusCode.UNAVAILABLE, "WORKER_DIED", "the worker died", {"pid": "1"})

    backend.call = backend.stream = refuse
    async with serving(backend, sockets / "s"):
        finish, messages = await ask(upstream, target(sockets / "s"), method)
    assert (finish.code, finish.message, finish.reason) == (Code.UNAVAILABLE, "the worker died", "WORKER_DIED")
    assert "grpc-status-details-bin" in dict(finish.trailers)
    assert messages == []


async def test_nobody_listening_is_target_unavailable_and_names_no_address(
    upstream: GrpcUpstream, sockets: Path
) -> None:
    with pytest.raises(CallError) as caught:
        await ask(upstream, target(sockets / "nobody"))
    assert caught.value.reason is Reason.TARGET_UNAVAILABLE
    assert caught.value.metadata == {"target": "calculator"}
    assert str(sockets) not in caught.value.message


@pytest.mark.parametrize("method", [CALL, STREAM])
async def test_a_target_that_dies_in_mid_call_is_unavailable(
    upstream: GrpcUpstream, sockets: Path, method: str
) -> None:
    backend, started = Backend(), asyncio.Event()

    async def hang(request: bytes, context: Any) -> None:
        if method == STREAM:
            await context.write(b"first")
        started.set()
        await asyncio.Event().wait()

    backend.call = backend.stream = hang
    async with serving(backend, sockets / "s") as server, asyncio.timeout(10):
        task = asyncio.ensure_future(ask(upstream, target(sockets / "s"), method))
        await started.wait()
        await server.stop(0)
        with pytest.raises(CallError) as caught:
            await task
    assert caught.value.reason is Reason.TARGET_UNAVAILABLE


async def test_a_name_that_is_looked_up_anew_takes_no_call_with_it(upstream: GrpcUpstream, sockets: Path) -> None:
    backend, go = Backend(), asyncio.Event()

    async def call(request: bytes, context: Any) -> bytes:
        if request == b"slow":
            await go.wait()
        return request

    backend.call = call
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((backend,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    to = Target(target(sockets / "s").config, f"dns:///localhost:{port}", "service:calculator")
    before, slow = upstream.channel(to), asyncio.ensure_future(ask(upstream, to, request=b"slow"))
    while not backend.metadata:
        await asyncio.sleep(0.005)
    assert upstream.renew(to) is upstream.channel(to) is not before
    assert (await ask(upstream, to))[1] == [b"hi"]
    go.set()
    assert (await slow)[1] == [b"slow"]
    await server.stop(0)


def test_what_is_no_name_is_not_looked_up(sockets: Path) -> None:
    assert GrpcUpstream(lambda: 0.0).renew(target(sockets / "s")) is None


async def test_calls_go_to_an_instance_that_was_added(sockets: Path) -> None:
    seen: list[str] = []
    answers = iter((False, True))

    async def added(endpoint: str) -> bool:
        seen.append(endpoint)
        return next(answers)

    upstream = GrpcUpstream(lambda: 0.0, added)
    to = Target(target(sockets / "s").config, "dns:///calculator:7600", "service:calculator")
    before = upstream.channel(to)
    assert await upstream.spread(to) is None
    assert upstream.channel(to) is before
    assert await upstream.spread(to) is upstream.channel(to) is not before
    assert await upstream.spread(target(sockets / "s")) is None
    assert seen == ["calculator:7600"] * 2, "a socket leads to one place"
    await upstream.close()


async def test_a_target_that_comes_back_is_reached_again(upstream: GrpcUpstream, sockets: Path) -> None:
    to = target(sockets / "s")
    async with serving(Backend(), sockets / "s"):
        await ask(upstream, to)
    async with serving(Backend(), sockets / "s"), asyncio.timeout(10):
        while True:
            try:
                assert (await ask(upstream, to))[1] == [b"hi"]
                break
            except CallError as error:
                assert error.reason is Reason.TARGET_UNAVAILABLE
                await asyncio.sleep(0.02)


async def test_a_call_outlived_by_its_connection_is_not_taken_for_a_cancellation(
    upstream: GrpcUpstream, sockets: Path
) -> None:
    backend, started = Backend(), asyncio.Event()

    async def hang(request: bytes, context: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    backend.call = hang
    async with serving(backend, sockets / "s"), asyncio.timeout(10):
        task = asyncio.ensure_future(ask(upstream, target(sockets / "s")))
        await started.wait()
        await upstream.close()
        with pytest.raises(CallError) as caught:
            await task
    assert caught.value.reason is Reason.TARGET_UNAVAILABLE


async def test_a_target_that_ends_well_without_its_one_answer_has_answered_nothing(
    upstream: GrpcUpstream, sockets: Path
) -> None:
    async def nothing(request: bytes, context: Any) -> None:
        """Ends with OK, as only a stream may without a message."""

    class Silent(Backend):
        def service(self, details: Any) -> Any:
            return grpc.unary_stream_rpc_method_handler(nothing) if details.method == CALL else super().service(details)

    async with serving(Silent(), sockets / "s"):
        assert await ask(upstream, target(sockets / "s")) == (Finish(), [])


async def test_a_message_over_the_limit_is_response_too_large(upstream: GrpcUpstream, sockets: Path) -> None:
    backend = Backend()

    async def big(request: bytes, context: Any) -> bytes:
        return b"x" * 2_000

    backend.call = big
    async with serving(backend, sockets / "s"):
        with pytest.raises(CallError) as caught:
            await ask(upstream, target(sockets / "s", Limits.model_construct(response_bytes=1_000)))
    assert caught.value.reason is Reason.RESPONSE_TOO_LARGE


async def test_an_exception_in_a_target_breaks_the_contract_and_its_text_stays_here(
    upstream: GrpcUpstream, sockets: Path
) -> None:
    backend, calls = Backend(), 0

    async def crash(request: bytes, context: Any) -> bytes:
        nonlocal calls
        calls += 1
        raise RuntimeError("secret")

    backend.call = crash
    async with serving(backend, sockets / "s"):
        with pytest.raises(CallError) as caught:
            await ask(upstream, target(sockets / "s"))
    assert caught.value.reason is Reason.CONTRACT_VIOLATED
    assert "secret" not in caught.value.message
    assert calls == 1, "the chain alone decides what is sent twice"


async def test_a_status_about_the_request_itself_is_passed_on_without_details(
    upstream: GrpcUpstream, sockets: Path
) -> None:
    backend = Backend()

    async def refuse(request: bytes, context: Any) -> None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")

    backend.call = refuse
    async with serving(backend, sockets / "s"):
        finish, _ = await ask(upstream, target(sockets / "s"))
    assert finish == Finish(Code.NOT_FOUND, "no such thing")


async def test_a_targets_own_deadline_is_the_callers(upstream: GrpcUpstream, sockets: Path) -> None:
    backend = Backend()

    async def hang(request: bytes, context: Any) -> None:
        await asyncio.Event().wait()

    backend.call = hang
    async with serving(backend, sockets / "s"):
        with pytest.raises(CallError) as caught:
            await ask(upstream, target(sockets / "s"), deadline=Deadline(asyncio.get_running_loop().time() + 0.2))
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
