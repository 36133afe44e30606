"""A host that is asked to end lets its calls finish, within bounds."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from tests.contract.runtime.host.conftest import Start
from tests.contract.runtime.host.running import ENTRY, Running, refusal, until

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _held(service: Running, name: str = "held") -> Any:
    """A call that runs until its note is removed."""
    call = asyncio.ensure_future(service.text(do="hold", path=str(service.folder / name)))
    await service.noted(name)
    return call


async def _refused(service: Running) -> int:
    """Sends calls until one is refused; returns how many were answered before."""
    answered = 0
    while True:
        try:
            await service.text(do="echo")
        except grpc.aio.AioRpcError:
            return answered
        answered += 1


async def test_calls_in_flight_and_those_still_on_their_way_are_answered(start: Start) -> None:
    service = await start(workers=2)
    held = await _held(service)
    service.process.send_signal(signal.SIGTERM)
    await service.ready(NOT_SERVING)
    assert await service.text(do="echo") == "echo"
    (service.folder / "held").unlink()
    assert await held == "held"
    await until(lambda: service.process.poll() is not None)
    assert service.process.returncode == 0


async def test_a_call_that_outlasts_the_grace_is_cut_off(start: Start) -> None:
    service = await start(options={"grace": 0.6})
    held = await _held(service)
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    code, _, _ = await refusal(held)
    assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert time.monotonic() - began >= 0.5
    await until(lambda: service.process.poll() is not None)


async def test_a_stream_of_calls_does_not_keep_it_alive(start: Start) -> None:
    service = await start(workers=2, options={"grace": 2.0})
    service.process.send_signal(signal.SIGTERM)
    assert await _refused(service) > 0
    await until(lambda: service.process.poll() is not None)


async def test_nobody_is_waited_for_where_nobody_sends(start: Start) -> None:
    service = await start(workers=2, options={"grace": 60})
    held = await _held(service)
    service.process.send_signal(signal.SIGINT)
    await _refused(service)
    (service.folder / "held").unlink()
    assert await held == "held"
    await until(lambda: service.process.poll() is not None)


@pytest.mark.parametrize("grace", ["-1", "nan", "inf", "soon"])
def test_a_grace_that_is_no_length_of_time_is_refused(grace: str) -> None:
    options = ["--service", ".", "--listen", "unix:none", "--gateway", "unix:none", "--token-file", "none"]
    command = [sys.executable, "-I", str(ENTRY), *options, f"--grace={grace}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 2
    assert f"'{grace}' is no number of seconds" in ran.stderr
