"""Ordinary calls, many calls, slow readers, bad input, idempotency keys."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import grpc
import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.pace import AT_ONCE, PAUSE, PER_SECOND
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.contract.runtime.host.conftest import Shared, Start
from tests.contract.runtime.host.running import descendants, refusal, until

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_many_calls_at_once_are_all_answered(shared: Shared, entrypoint: str) -> None:
    service = await shared(entrypoint)
    answers = await asyncio.gather(*(service.text(do="echo") for _ in range(300)))
    assert answers == ["echo"] * 300


@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_a_call_knows_its_session_trace_and_deadline(shared: Shared, entrypoint: str) -> None:
    service = await shared(entrypoint)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    metadata = (("firebreak-session", "token"), ("traceparent", trace), ("firebreak-call-id", "abc"))
    about = json.loads((await service.call(do="about", timeout=5, metadata=metadata)).result.content[0].text)
    assert (about["session"], about["traceparent"], about["call_id"]) == ("token", trace, "abc")
    assert 0 < about["left"] <= 5.1


@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_a_stream_arrives_whole_and_in_order(shared: Shared, entrypoint: str) -> None:
    service = await shared(entrypoint)
    events = [event async for event in service.stream(do="stream", n=100)]
    assert [event.seq for event in events] == list(range(1, 102))
    assert events[-1].result.content[0].text == "done"


@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_a_flood_of_events_keeps_the_pace(shared: Shared, entrypoint: str) -> None:
    service = await shared(entrypoint)
    began = time.monotonic()
    assert [event.seq async for event in service.stream(do="stream", n=600)][-1] == 601
    assert time.monotonic() - began > (600 - AT_ONCE) / PER_SECOND - 2 * PAUSE


@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_a_slow_reader_stops_the_worker_from_producing(start: Start, entrypoint: str) -> None:
    service = await start(entrypoint)
    await service.text(do="echo")
    before = _resident(service.process.pid)
    call = service.stream(do="stream", n=2000, timeout=20)  # 60 MB
    events = aiter(call)
    assert (await anext(events)).seq == 1
    idle = await _quiet(service.workers())
    assert _resident(service.process.pid) - before < 40
    rest = [event.seq async for event in events]
    assert rest[-1] == 2001
    assert idle


@pytest.mark.parametrize("size", [0, 65_536, 3_000_000])
async def test_an_answer_of_any_size_arrives_whole(shared: Shared, size: int) -> None:
    service = await shared()
    assert len(await service.text(do="big", n=size)) == size


async def test_an_answer_beyond_the_limit_is_an_error(shared: Shared) -> None:
    service = await shared()
    code, info, _ = await refusal(service.call(do="big", n=17 * 1024**2))
    assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESPONSE_TOO_LARGE")


async def test_more_calls_than_places_and_queue_are_refused_at_once(start: Start) -> None:
    service = await start(workers=1, spare=0, queue=1)
    running = asyncio.ensure_future(service.call(do="sleep", path=str(service.folder / "pid"), timeout=3))
    await service.noted()
    calls = {asyncio.ensure_future(service.text(do="echo")) for _ in range(3)}
    await until(lambda: sum(call.done() for call in calls) == 2)
    for call in (call for call in calls if call.done()):
        code, info, _ = await refusal(call)
        assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CONCURRENCY_LIMITED")
    running.cancel()
    (waited,) = (call for call in calls if not call.done())
    assert await waited == "echo"


BAD = [
    (b"", "args"),
    (b"{", "args"),
    (b"[]", "args"),
    (b"null", "args"),
    (b'{"do": "count", "do": "count"}', "args"),
    (b'{"do": NaN}', "args"),
    (b'{"do": "\xff"}', "args"),
    (b'{"do": "\\ud800"}', "args"),
    (b'{"do": "count", "n": 36893488147419103232}', "args"),
    (b'{"do": ' + b"[" * 100 + b"]" * 100 + b"}", "args"),
    (b"[" * 100_000, "args"),
    (b'{"do": 1}', "args.do"),
    (b'{"do": "count", "n": "1"}', "args.n"),
    (b'{"do": "count", "x": 1}', "args"),
    (b"{}", "args"),
]


async def test_bad_arguments_name_the_field_and_reach_no_worker(start: Start) -> None:
    service = await start(effect="MUTATING")
    for args_json, field in BAD:
        code, info, wrong = await refusal(service.raw(args_json, idempotency_key="same"))
        assert (code, info.reason) == (INVALID, "ARGUMENTS_INVALID"), args_json[:40]
        assert wrong.field_violations[0].field == field, args_json[:40]
    assert not service.events("worker ended")
    runs = service.folder / "runs"
    assert await service.text(do="count", path=str(runs), key="same") == "x"


async def test_bad_requests_say_what_is_wrong(shared: Shared) -> None:
    service = await shared()
    echo = b'{"do": "echo"}'
    wrong_target = await refusal(service.raw(echo, target="other"))
    assert (wrong_target[0], wrong_target[1].reason) == (grpc.StatusCode.NOT_FOUND, "TARGET_UNKNOWN")
    changed = await refusal(service.raw(echo, expect_schema_sha256="def"))
    assert (changed[0], changed[1].reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SCHEMA_CHANGED")
    assert (await service.raw(echo, expect_schema_sha256="abc")).result.content[0].text == "echo"
    injected = await refusal(service.raw(echo, injected_json=b"["))
    assert injected[2].field_violations[0].field == "injected"
    malformed = service.channel.unary_unary("/firebreak.v1.ToolService/Call")(b"\xff\xff", timeout=5)
    assert (await refusal(malformed))[1].reason == "REQUEST_MALFORMED"
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await service.channel.unary_unary("/firebreak.v1.ToolService/Hammer")(b"", timeout=5)
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_repeat_with_the_same_key_runs_once(start: Start) -> None:
    service = await start(effect="MUTATING")
    path = str(service.folder / "runs")
    at_once = await asyncio.gather(*(service.text(do="count", path=path, key="k") for _ in range(5)))
    assert at_once == ["x"] * 5
    assert await service.text(do="count", path=path, key="k") == "x"
    assert await service.text(do="count", path=path, key="other") == "xx"
    assert await service.text(do="count", path=path) == "xxx"
    code, _, wrong = await refusal(service.call(do="echo", key="k"))
    assert (code, wrong.field_violations[0].field) == (INVALID, "idempotency_key")


async def test_a_repeat_of_a_call_that_was_lost_says_that_its_outcome_is_unknown(start: Start) -> None:
    service = await start(effect="MUTATING")
    path = service.folder / "runs"
    await refusal(service.call(do="count_and_die", path=str(path), key="k"))
    code, info, _ = await refusal(service.call(do="count_and_die", path=str(path), key="k"))
    assert (code, info.metadata["outcome"]) == (grpc.StatusCode.UNAVAILABLE, "unknown")
    assert path.read_text() == "x"


async def test_keys_mean_nothing_to_a_tool_that_only_reads(shared: Shared) -> None:
    service = await shared()
    path = str(service.folder / "runs")
    assert [await service.text(do="count", path=path, key="k") for _ in range(2)] == ["x", "xx"]


async def test_reflection_lists_the_service(shared: Shared) -> None:
    service = await shared()
    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    answers = [answer async for answer in stub.ServerReflectionInfo(asked, timeout=5)]
    names = {each.name for each in answers[0].list_services_response.service}
    assert {"firebreak.v1.ToolService", "grpc.health.v1.Health"} <= names
    assert tool_pb2.DESCRIPTOR.name == "firebreak/v1/tool.proto"


def _resident(pid: int) -> float:
    """MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1024**2


async def _quiet(pids: set[int]) -> bool:
    """Waits until none of the processes uses any more CPU."""
    seen = [-1]

    def ticks() -> bool:
        now = sum(int(part) for pid in pids for part in Path(f"/proc/{pid}/stat").read_text().split()[13:15])
        seen.append(now)
        return len(seen) > 100 and len(set(seen[-100:])) == 1

    return bool(await until(ticks))


@pytest.mark.parametrize("reuse", [True, False])
async def test_without_reuse_every_call_has_a_process_of_its_own(start: Start, reuse: bool) -> None:
    service = await start(mode="sync", workers=1, spare=0, reuse=reuse)
    pids = {json.loads(await service.text(do="about"))["pid"] for _ in range(4)}
    assert len(pids) == (1 if reuse else 4)
    if not reuse:
        await until(lambda: not pids & descendants(service.process.pid))
