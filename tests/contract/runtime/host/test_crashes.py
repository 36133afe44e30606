"""Whatever a worker does to itself, the caller gets a stated error and the service goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

import grpc
import pytest

from tests.contract.runtime.host.conftest import Shared, Start
from tests.contract.runtime.host.running import alive, descendants, refusal, until

UNAVAILABLE, INTERNAL = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("what", ["segfault", "kill_self", "leave", "abort", "closes_all"])
@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_a_worker_that_dies_is_unavailable_at_once(shared: Shared, entrypoint: str, what: str) -> None:
    service = await shared(entrypoint)
    code, info, _ = await refusal(service.call(do=what, timeout=5))
    assert (code, info.reason, info.domain) == (UNAVAILABLE, "WORKER_DIED", "firebreak.dev")
    assert info.metadata["target"] == "probe"
    assert await service.text(do="echo") == "echo"


@pytest.mark.parametrize("what", ["garbage", "huge_header", "wrong_message", "emits_twice", "floods"])
async def test_a_worker_that_breaks_the_contract_is_named(shared: Shared, what: str) -> None:
    service = await shared()
    code, info, _ = await refusal(service.call(do=what, timeout=5))
    assert (code, info.reason, info.metadata["target"]) == (INTERNAL, "CONTRACT_VIOLATED", "probe")
    assert await service.text(do="echo") == "echo"


@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_a_memory_hog_runs_into_its_own_limit(start: Start, entrypoint: str) -> None:
    service = await start(entrypoint, memory="64MiB")
    code, info, _ = await refusal(service.call(do="hog"))
    assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MEMORY_EXCEEDED")
    assert await service.text(do="echo") == "echo"


@pytest.mark.parametrize("what", ["raises", "exit"])
@pytest.mark.parametrize("entrypoint", ["plain", "coroutine"])
async def test_an_exception_goes_to_the_log_and_not_to_the_caller(start: Start, entrypoint: str, what: str) -> None:
    service = await start(entrypoint)
    error = await _error(service.call(do=what))
    assert error.code() is INTERNAL
    assert "hunter2" not in error.details() + repr(error.trailing_metadata())
    failed = (await until(lambda: service.events("call failed")))[0]
    assert failed["correlation_id"] in error.details()
    assert "probe.py" in failed["text"]
    assert not service.events("worker ended")


async def test_what_a_tool_says_in_its_own_words_is_passed_on(shared: Shared) -> None:
    service = await shared()
    code, info, wrong = await refusal(service.call(do="refuses"))
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENTS_INVALID")
    assert [(v.field, v.description) for v in wrong.field_violations] == [("args.do", "is not liked")]


async def test_children_of_a_killed_worker_do_not_survive(shared: Shared) -> None:
    service = await shared()
    folder = service.folder / "children"
    folder.mkdir()
    await refusal(service.call(do="orphans", path=str(folder), timeout=3))
    children = {int(file.name) for file in folder.iterdir()}
    assert len(children) == 3
    await until(lambda: not any(map(alive, children)), 2)
    assert await service.text(do="echo") == "echo"


async def test_a_tool_that_forks_and_returns_twice_answers_once(start: Start) -> None:
    service = await start(workers=1, spare=0)
    for _ in range(3):
        assert await service.text(do="forks_back") == "came back"
    await until(lambda: sum(map(alive, service.workers())) == 1)  # what it forked and did not wait for is a zombie


async def test_a_killed_zygote_takes_its_workers_along_and_another_one_starts(start: Start) -> None:
    service = await start()
    running = asyncio.ensure_future(service.call(do="sleep", path=str(service.folder / "pid")))
    await service.noted()
    before = descendants(service.process.pid)
    os.kill(service.zygote(), signal.SIGKILL)
    began = time.monotonic()
    code, info, _ = await refusal(running)
    assert (code, info.reason) == (UNAVAILABLE, "WORKER_DIED")
    assert time.monotonic() - began < 1
    await until(lambda: not any(map(alive, before)))
    await service.ready()
    assert await service.text(do="echo") == "echo"


async def test_children_of_workers_do_not_survive_a_killed_zygote(start: Start) -> None:
    service = await start()
    folder = service.folder / "children"
    folder.mkdir()
    running = asyncio.ensure_future(refusal(service.call(do="orphans", path=str(folder))))
    await service.noted("worker")
    children = {int(file.name) for file in folder.iterdir()}
    os.kill(service.zygote(), signal.SIGKILL)
    await until(lambda: not any(map(alive, children)), 4)
    await running


async def test_nothing_survives_a_killed_host(start: Start) -> None:
    service = await start()
    folder = service.folder / "children"
    folder.mkdir()
    running = asyncio.ensure_future(refusal(service.call(do="orphans", path=str(folder))))
    await service.noted("worker")
    everyone = descendants(service.process.pid) | {int(file.name) for file in folder.iterdir()}
    service.process.kill()
    await until(lambda: not any(map(alive, everyone)), 4)
    assert (await running)[0] is UNAVAILABLE


async def test_a_stopped_host_ends_everything_and_lets_calls_finish(start: Start) -> None:
    service = await start("coroutine")
    running = asyncio.ensure_future(service.text(do="naps", n=1, path=str(service.folder / "pid")))
    await service.noted()
    everyone = descendants(service.process.pid)
    service.process.terminate()
    assert await running == "napped"
    assert await asyncio.to_thread(service.process.wait, 10) == 0
    assert not any(map(alive, everyone))


async def test_a_worker_cannot_reach_the_processes_above_it(shared: Shared) -> None:
    service = await shared()
    told = json.loads(await service.text(do="reach_out"))
    # Kernels since 6.12 can keep a process from signalling those above it; before that only the sandbox around them does.
    expected = "refused" if _kernel() >= (6, 12) else "signalled"
    assert told["host"] == told["zygote"] == expected


async def test_a_worker_has_a_bounded_number_of_files_and_leaves_no_core(shared: Shared) -> None:
    service = await shared()
    assert 100 < int(await service.text(do="too_many_files")) < 512
    about = json.loads(await service.text(do="about"))
    assert about["core"] == [0, 0]
    assert "NoNewPrivs:\t1" in about["status"]


def _kernel() -> tuple[int, int]:
    major, minor = os.uname().release.split("-")[0].split(".")[:2]
    return int(major), int(minor)


async def _error(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value
