"""Health in the clear beside a listener with TLS, as the kubelet's gRPC probe asks for it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from firebreak_runtime.options import read_options
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.contract.certificates import Authority, write_server
from tests.contract.runtime.host.conftest import Start, settings
from tests.contract.runtime.host.running import HostProcess, until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
REFUSED = [
    "/firebreak.v1.ToolService/Call",
    "/firebreak.v1.ToolService/Describe",
    "/firebreak.v1.HostService/Prove",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.health.v1.Health/List",
]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def secured(folder: Path) -> dict[str, Any]:
    """Options of a host whose listener shows and asks for certificates."""
    write_server(folder, Authority())
    files = {"certificate": "server.crt", "key": "server.key", "client-ca": "ca.crt"}
    return {f"tls-{name}": folder / file for name, file in files.items()}


async def status(port: int) -> int:
    """What it says without TLS."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=10, wait_for_ready=True)
        return int(answer.status)


async def code(port: int, method: str) -> grpc.StatusCode:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        return await channel.unary_unary(method)(b"", timeout=10, wait_for_ready=True).code()


@pytest.fixture
def doors() -> tuple[int, int]:
    """Ports of the listener and of health."""
    return free_port(), free_port()


async def test_health_is_told_in_the_clear_and_nothing_else(
    start: Start, tmp_path: Path, doors: tuple[int, int]
) -> None:
    listener, health = doors
    options = {"listen": f"127.0.0.1:{listener}", "health": f"127.0.0.1:{health}", "enclose": "best-effort"}
    service = await start(ready=False, options={**options, "writable": "/tmp", **secured(tmp_path)})
    await until(lambda: service.events("ready"), 20)
    assert "limits" in service.events("walls")[0]["claimed"], "it listens behind its walls"
    assert await status(health) == SERVING
    assert {await code(health, method) for method in REFUSED} == {grpc.StatusCode.UNIMPLEMENTED}
    with pytest.raises(grpc.aio.AioRpcError) as closed:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{listener}") as channel:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert closed.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_what_is_not_ready_says_so_there(start: Start, doors: tuple[int, int]) -> None:
    service = await start("broken", ready=False, options={"health": f"127.0.0.1:{doors[1]}"})
    await until(lambda: service.events("service is down"), 20)
    assert await status(doors[1]) == NOT_SERVING


def test_a_port_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = HostProcess(settings("plain"), health=f"127.0.0.1:{taken.getsockname()[1]}")
        assert host.process.wait(20) == 1
        assert "cannot listen on 127.0.0.1" in (host.folder / "log").read_text()
        host.stop()


@pytest.mark.parametrize("wrong", ["unix:/s", "7601", "host:x"])
def test_it_is_a_host_and_a_port(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    needed = ("--service", "s", "--listen", "0.0.0.0:7600", "--gateway", "g:7500", "--token-file", "t")
    with pytest.raises(SystemExit):
        read_options([*needed, "--health", wrong])
    assert wrong in capsys.readouterr().err
    assert read_options([*needed, "--health", "0.0.0.0:7601"]).health == "0.0.0.0:7601"
