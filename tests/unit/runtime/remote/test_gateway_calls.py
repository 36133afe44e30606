"""What every call through the gateway brings along, how it ends, and that a cancelled caller cancels it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from firebreak.v1 import model_pb2, tool_pb2
from firebreak_runtime.context import CallContext, current
from firebreak_runtime.remote.failures import RemoteError
from firebreak_runtime.remote.gateway import Gateway, Rpc
from firebreak_runtime.remote.remote_model import STREAM
from firebreak_runtime.remote.remote_tool import CALL

from tests.unit.runtime.fake_gateway import FakeGateway

NAME = "/firebreak.v1.ToolService/Call"
ASK = tool_pb2.ToolServiceCallRequest(call=tool_pb2.ToolCall(target="add"))
EMPTY = tool_pb2.ToolServiceCallResponse().SerializeToString()


@pytest.fixture(autouse=True)
def answers(gateway: FakeGateway) -> None:
    gateway.answers[NAME] = lambda request, context: [EMPTY]


async def acall(door: Gateway, timeout: float | None = None) -> Any:
    try:
        return await door.acall(CALL, "add", ASK, timeout)
    finally:
        await door.aclose()


def call_either(way: str, door: Gateway, timeout: float | None = None) -> Any:
    return door.call(CALL, "add", ASK, timeout) if way == "sync" else asyncio.run(acall(door, timeout))


WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@WAYS
def test_token_session_trace_and_deadline_go_along(
    way: str, gateway: FakeGateway, door: Gateway, in_call: CallContext
) -> None:
    call_either(way, door)

    (seen,) = gateway.seen
    assert seen.metadata["authorization"] == "Bearer token-1"
    assert seen.metadata["firebreak-session"] == "session-1"
    assert seen.metadata["traceparent"] == in_call.traceparent
    assert 8 < seen.remaining < 10.5  # grpc rounds up


@WAYS
def test_outside_of_a_call_there_is_no_session(way: str, gateway: FakeGateway, door: Gateway) -> None:
    call_either(way, door)

    assert "firebreak-session" not in gateway.seen[0].metadata
    assert "traceparent" not in gateway.seen[0].metadata


@WAYS
def test_outside_of_a_call_the_timeout_is_the_callers(way: str, gateway: FakeGateway, door: Gateway) -> None:
    call_either(way, door)
    call_either(way, door, timeout=90.0)

    assert 50 < gateway.seen[0].remaining < 61
    assert 80 < gateway.seen[1].remaining < 91


class Span:
    """What OpenTelemetry's API says of a span."""

    def __init__(self, trace_id: int, valid: bool = True) -> None:
        self.trace_id, self.span_id, self.trace_flags, self.is_valid = trace_id, 0xAB, 1, valid

    def get_span_context(self) -> Span:
        return self


def in_span(monkeypatch: pytest.MonkeyPatch, span: Span) -> None:
    """The program has imported OpenTelemetry and is in this span."""
    api = ModuleType("opentelemetry.trace")
    api.get_current_span = lambda: span  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", api)


@WAYS
def test_a_programs_own_span_is_the_parent(way: str, gateway: FakeGateway, door: Gateway, monkeypatch: Any) -> None:
    in_span(monkeypatch, Span(0x1F))

    call_either(way, door)

    assert gateway.seen[0].metadata["traceparent"] == f"00-{'0' * 30}1f-{'0' * 14}ab-01"


def test_without_a_span_no_trace_is_sent(gateway: FakeGateway, door: Gateway, monkeypatch: Any) -> None:
    in_span(monkeypatch, Span(0, valid=False))
    call_either("sync", door)
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    call_either("sync", door)

    assert all("traceparent" not in seen.metadata for seen in gateway.seen)


def test_the_served_calls_trace_comes_first(
    gateway: FakeGateway, door: Gateway, in_call: CallContext, monkeypatch: Any
) -> None:
    in_span(monkeypatch, Span(0x1F))

    call_either("sync", door)

    assert gateway.seen[0].metadata["traceparent"] == in_call.traceparent


@WAYS
def test_a_timeout_only_shortens(way: str, gateway: FakeGateway, door: Gateway, in_call: CallContext) -> None:
    call_either(way, door, timeout=2.0)
    call_either(way, door, timeout=1000.0)

    assert gateway.seen[0].remaining < 2.5
    assert gateway.seen[1].remaining < 10.5


@WAYS
def test_without_time_left_nothing_is_sent(way: str, gateway: FakeGateway, door: Gateway) -> None:
    token = current.set(CallContext(deadline=time.monotonic() - 1))
    try:
        with pytest.raises(RemoteError) as error:
            call_either(way, door)
    finally:
        current.reset(token)

    assert error.value.reason == "DEADLINE_EXCEEDED"
    assert gateway.seen == []


def test_a_rotated_token_is_used_at_once(gateway: FakeGateway, door: Gateway) -> None:
    door.call(CALL, "add", ASK)
    fresh = gateway.token_file.with_name("fresh")
    fresh.write_text("token-2")
    os.replace(fresh, gateway.token_file)
    door.call(CALL, "add", ASK)

    assert [seen.metadata["authorization"] for seen in gateway.seen] == ["Bearer token-1", "Bearer token-2"]


@WAYS
def test_a_missing_token_is_said(way: str, gateway: FakeGateway, door: Gateway) -> None:
    gateway.token_file.unlink()

    with pytest.raises(RemoteError) as error:
        call_either(way, door)
    assert error.value.reason == "CREDENTIALS_MISSING"


@WAYS
def test_details_of_a_failure_are_read(way: str, gateway: FakeGateway, door: Gateway) -> None:
    gateway.fail(
        NAME,
        "ARGUMENTS_INVALID",
        "fix the arguments",
        metadata={"call_id": "c"},
        fields=(("args.a", "must be a number"),),
        retry_after=1.5,
    )

    with pytest.raises(RemoteError) as error:
        call_either(way, door)

    failure = error.value.failure
    assert (failure.target, failure.reason, failure.message) == ("add", "ARGUMENTS_INVALID", "fix the arguments")
    assert (failure.metadata, failure.fields, failure.retry_after) == (
        {"call_id": "c"},
        (("args.a", "must be a number"),),
        1.5,
    )


@WAYS
def test_a_status_without_details_has_a_reason_but_no_foreign_text(
    way: str, gateway: FakeGateway, door: Gateway
) -> None:
    def crash(request: bytes, context: Any) -> Iterator[bytes]:
        raise RuntimeError("the password is hunter2")
        yield b""

    gateway.answers[NAME] = crash

    with pytest.raises(RemoteError) as error:
        call_either(way, door)
    assert error.value.reason == "INTERNAL"
    assert "hunter2" not in str(error.value)


@WAYS
def test_a_gateway_that_is_gone_is_unavailable(way: str, gateway: FakeGateway, door: Gateway) -> None:
    gateway.stop()

    with pytest.raises(RemoteError) as error:
        call_either(way, door)
    assert error.value.reason == "TARGET_UNAVAILABLE"


@WAYS
def test_the_deadline_ends_a_call_that_does_not_answer(way: str, gateway: FakeGateway, door: Gateway) -> None:
    gateway.answers[NAME] = waits

    with pytest.raises(RemoteError) as error:
        call_either(way, door, timeout=0.1)
    assert error.value.reason == "DEADLINE_EXCEEDED"


def waits(request: bytes, context: Any) -> Iterator[bytes]:
    """Answers nothing until the call is over."""
    over = threading.Event()
    if context.add_callback(over.set):
        over.wait(10)
    yield EMPTY


async def test_cancelling_the_task_cancels_the_call(gateway: FakeGateway, door: Gateway) -> None:
    gateway.answers[NAME] = waits
    task = asyncio.ensure_future(acall(door))
    while not gateway.seen:
        await asyncio.sleep(0.005)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(gateway.seen[0].cancelled.wait, 5)


MODEL = "/firebreak.v1.ModelService/Stream"
EVENT = model_pb2.ModelServiceStreamResponse(seq=1).SerializeToString()


def one_then_waits(request: bytes, context: Any) -> Iterator[bytes]:
    yield EVENT
    yield from waits(request, context)


async def test_leaving_an_async_stream_cancels_the_call(gateway: FakeGateway, door: Gateway) -> None:
    gateway.answers[MODEL] = one_then_waits
    stream = door.astream(STREAM, "router", model_pb2.ModelServiceStreamRequest())

    assert (await stream.__anext__()).seq == 1
    await stream.aclose()

    assert await asyncio.to_thread(gateway.seen[0].cancelled.wait, 5)
    await door.aclose()


def test_leaving_a_sync_stream_cancels_the_call(gateway: FakeGateway, door: Gateway) -> None:
    gateway.answers[MODEL] = one_then_waits
    stream = door.stream(STREAM, "router", model_pb2.ModelServiceStreamRequest())

    assert next(stream).seq == 1
    stream.close()

    assert gateway.seen[0].cancelled.wait(5)


def test_each_event_loop_has_a_channel_of_its_own(gateway: FakeGateway, door: Gateway) -> None:
    for _ in range(3):
        asyncio.run(acall(door))

    assert len(gateway.seen) == 3


def test_an_address_beyond_this_machine_needs_tls(gateway: FakeGateway) -> None:
    away = Gateway("gateway.example:443", gateway.token_file)

    with pytest.raises(RemoteError) as error:
        away.call(Rpc(NAME, tool_pb2.ToolServiceCallResponse), "add", ASK, 0.5)

    assert error.value.reason in ("TARGET_UNAVAILABLE", "DEADLINE_EXCEEDED")
    away.close()
