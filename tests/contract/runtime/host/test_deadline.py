"""A call past its deadline, or cancelled, stops for real, and the others in the service go on."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest

from tests.contract.runtime.host.conftest import Shared, Start
from tests.contract.runtime.host.running import alive, refusal, until

STOPPED = 0.05
NOISE = 0.25
"""What a loaded machine may add to a measurement; the log of the host has its own, tighter one."""


@pytest.mark.parametrize("what", ["busy", "sleep"])
async def test_a_sync_tool_is_killed_at_its_deadline_while_its_neighbour_goes_on(start: Start, what: str) -> None:
    service = await start(workers=2)
    neighbour = asyncio.ensure_future(service.call(do="sleep", path=str(service.folder / "neighbour"), timeout=1.5))
    await service.noted("neighbour")
    began = time.monotonic()
    code, _, _ = await refusal(service.call(do=what, path=str(service.folder / "pid"), timeout=0.5))
    told = time.monotonic() - began
    pid = await service.noted()
    await until(lambda: not alive(pid))
    gone = time.monotonic() - began
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert told < 0.5 + NOISE
    assert gone < 0.5 + STOPPED + NOISE
    assert alive(await service.noted("neighbour"))
    assert await service.text(do="echo") == "echo"
    assert (await refusal(neighbour))[0] is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_the_host_sees_the_killed_worker_gone_within_50_ms(start: Start) -> None:
    service = await start(workers=2)
    for _ in range(5):
        await refusal(service.call(do="busy", path=str(service.folder / "pid"), timeout=0.1))
    await until(lambda: len(service.events("worker ended")) >= 5)
    times = sorted(line["milliseconds"] for line in service.events("worker ended"))
    assert times[len(times) // 2] < STOPPED * 1000, times


@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_a_cancelled_call_stops_even_in_a_busy_loop(shared: Shared, entrypoint: str) -> None:
    service = await shared(entrypoint)
    call = service.call(do="busy", path=str(service.folder / "pid"))
    pid = await service.noted()
    call.cancel()
    began = time.monotonic()
    await until(lambda: not alive(pid))
    assert time.monotonic() - began < STOPPED + NOISE
    assert await service.text(do="echo") == "echo"


async def test_a_killed_worker_is_replaced_by_a_warm_one(start: Start) -> None:
    service = await start(workers=1, spare=1)
    for _ in range(4):
        await refusal(service.call(do="busy", path=str(service.folder / "pid"), timeout=0.1))
        assert await service.text(do="echo", timeout=0.5) == "echo"
    await until(lambda: len(service.workers()) == 2)


async def test_a_coroutine_is_cancelled_without_killing_its_worker(start: Start) -> None:
    service = await start("coroutine", workers=1, spare=0)
    (worker,) = service.workers()
    call = service.call(do="cleans_up", path=str(service.folder / "pid"))
    assert await service.noted() == worker
    call.cancel()
    await until((service.folder / "pid.clean").exists)
    assert await service.text(do="echo") == "echo"
    assert service.workers() == {worker}


async def test_a_blocked_event_loop_costs_its_neighbours_their_worker(start: Start) -> None:
    service = await start("coroutine", workers=1, spare=0)
    neighbour = asyncio.ensure_future(service.call(do="naps", path=str(service.folder / "neighbour")))
    await service.noted("neighbour")
    await refusal(service.call(do="busy", path=str(service.folder / "pid"), timeout=0.2))
    code, info, _ = await refusal(neighbour)
    assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, "WORKER_DIED")
    assert await service.text(do="echo") == "echo"


async def test_a_call_that_swallows_its_cancellation_leaves_its_neighbours_time(start: Start) -> None:
    service = await start("coroutine", workers=1, spare=0)
    neighbour = asyncio.ensure_future(service.text(do="naps", n=1, path=str(service.folder / "neighbour")))
    worker = await service.noted("neighbour")
    await refusal(service.call(do="stubborn", path=str(service.folder / "pid"), timeout=0.1))
    assert await neighbour == "napped"
    await until(lambda: not alive(worker))
    assert await service.text(do="echo") == "echo"


async def test_a_call_without_time_left_never_reaches_a_worker(start: Start) -> None:
    service = await start(workers=1, spare=0)
    busy = asyncio.ensure_future(service.call(do="busy", path=str(service.folder / "pid"), timeout=1))
    await service.noted()
    code, _, _ = await refusal(service.call(do="count", path=str(service.folder / "runs"), timeout=0.2))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    await refusal(busy)
    assert await service.text(do="echo") == "echo"
    assert not (service.folder / "runs").exists()
