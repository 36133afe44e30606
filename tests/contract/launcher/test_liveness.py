"""A process that answers nothing any more is started again; one that is slow to begin, or only not ready, is not."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.local.liveness import watch
from cli.local.process import Command
from tests.contract.launcher.conftest import World


class Process:
    """A process whose end is asked for."""

    def __init__(self) -> None:
        self.command = Command("x", [], {}, Path())
        self.pid: int | None = 1
        self.renewed = 0

    def renew(self) -> None:
        self.renewed += 1


class Health(health_pb2_grpc.HealthServicer):
    """Answers each question, or none while it is `silent`."""

    def __init__(self) -> None:
        self.asked = 0
        self.silent = False

    async def Check(self, request: Any, context: Any) -> Any:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)


@pytest.fixture
async def health(tmp_path: Path) -> AsyncIterator[Health]:
    servicer, server = Health(), grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{os.path.relpath(tmp_path)}/s")
    await server.start()
    yield servicer
    await server.stop(0)


@pytest.fixture
async def process(health: Health, tmp_path: Path) -> AsyncIterator[Process]:
    made, said = Process(), list[str]()
    address = f"unix:{os.path.relpath(tmp_path)}/s"
    watching = asyncio.ensure_future(watch(address, made, said.append, look=0.01, patience=0.1))  # type: ignore[arg-type]
    yield made
    watching.cancel()
    assert said == ["x: it answers nothing any more and is started again"] * made.renewed


async def asked(health: Health, more: int) -> None:
    wanted = health.asked + more
    async with asyncio.timeout(30):
        while health.asked < wanted:
            await asyncio.sleep(0.005)


async def test_one_that_falls_silent_is_ended_once(health: Health, process: Process) -> None:
    await asked(health, 2)
    health.silent = True
    await asked(health, 5)
    assert process.renewed == 1, "the next one is given its time to start"


async def test_one_that_has_not_answered_yet_is_starting(health: Health, process: Process) -> None:
    health.silent = True
    await asked(health, 4)
    assert process.renewed == 0


async def test_one_that_is_not_ready_answers(health: Health, process: Process) -> None:
    await asked(health, 5)
    assert process.renewed == 0


async def test_another_process_begins_anew(health: Health, process: Process) -> None:
    await asked(health, 2)
    health.silent, process.pid = True, 2
    await asked(health, 4)
    assert process.renewed == 0


async def test_a_real_process_that_is_ended_so_is_started_again(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (running,) = world.running()
    before = running.process.pid
    assert before is not None
    running.process.renew()
    await world.until(lambda: running.process.restarts == 1 and running.process.pid not in (None, before))
    assert signal.SIGKILL.name in running.process.reason
