"""A worker that goes on calling while its certificates, and those of the gateway, are replaced by others."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from firebreak_runtime.remote.connect import gateway_of
from firebreak_runtime.remote.failures import RemoteError
from firebreak_runtime.remote.gateway import Gateway, Rpc
from firebreak_runtime.served import GatewayTls, WorkerEnv
from firebreak_runtime.service_file import ServiceFile
from google.protobuf import empty_pb2

from tests.contract.certificates import Authority, write_server

SERVICE = ServiceFile(Path("s"), "mine", "agent", "1.0.0", "a:b", "READ")
SAY, HOLD = Rpc("/test/Say", empty_pb2.Empty), Rpc("/test/Hold", empty_pb2.Empty)
EMPTY = empty_pb2.Empty()


class Gatekeeper(grpc.GenericRpcHandler):
    """Answers /test/Say at once, and /test/Hold in two halves, the second one when it is let go. Counts who connects."""

    def __init__(self) -> None:
        self.go, self.peers = asyncio.Event(), set[str]()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def say(request: bytes, context: Any) -> bytes:
            self.peers.add(context.peer())
            return b""

        async def hold(request: bytes, context: Any) -> Any:
            self.peers.add(context.peer())
            yield b""
            await self.go.wait()
            yield b""

        if details.method == SAY.name:
            return grpc.unary_unary_rpc_method_handler(say)
        return grpc.unary_stream_rpc_method_handler(hold)


class World:
    """A gateway that trusts one authority at a time, and the files of a worker's way to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.gatekeeper = Gatekeeper()
        self.server: grpc.aio.Server | None = None
        (folder / "token").write_text("t")

    async def serve(self, authority: Authority) -> None:
        """Starts it, in place of the one before, with what `authority` signed; it lets in nobody else."""
        if self.server is not None:
            await self.server.stop(None)
        pair = authority.issue("gateway", x509.DNSName("localhost"))
        credentials = grpc.ssl_server_credentials([(pair[1], pair[0])], authority.ca, True)
        self.server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self.server.add_generic_rpc_handlers((self.gatekeeper,))
        self.port = self.server.add_secure_port(f"127.0.0.1:{self.port}", credentials)
        await self.server.start()

    def worker(self) -> Gateway:
        files = GatewayTls(self.folder / "ca.crt", self.folder / "server.crt", self.folder / "server.key")
        return gateway_of(WorkerEnv(f"localhost:{self.port}", self.folder / "token", SERVICE, tls=files))


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    made = World(tmp_path)
    yield made
    made.gatekeeper.go.set()
    if made.server is not None:
        await made.server.stop(None)


async def said(gateway: Gateway, way: str) -> str:
    """The reason why it could not be said, "" where it could."""
    try:
        if way == "async":
            await gateway.acall(SAY, "x", EMPTY, 5.0)
        else:
            with ThreadPoolExecutor(1) as thread:
                await asyncio.get_running_loop().run_in_executor(thread, gateway.call, SAY, "x", EMPTY, 5.0)
    except RemoteError as error:
        return error.reason
    return ""


@pytest.mark.parametrize("way", ["async", "sync"])
async def test_a_worker_gets_on_when_authority_and_certificates_are_replaced(world: World, way: str) -> None:
    first, second = Authority(), Authority()
    write_server(world.folder, first)
    await world.serve(first)
    gateway = world.worker()
    assert await said(gateway, way) == ""
    await world.serve(second)
    assert await said(gateway, way) == "TARGET_UNAVAILABLE"
    write_server(world.folder, second)
    assert await said(gateway, way) == ""
    gateway.close()
    await gateway.aclose()


async def test_the_channel_before_ends_with_its_last_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    channels: list[grpc.aio.Channel] = []
    make = grpc.aio.secure_channel
    monkeypatch.setattr(grpc.aio, "secure_channel", lambda *a, **k: channels.append(make(*a, **k)) or channels[-1])
    authority = Authority()
    write_server(world.folder, authority)
    await world.serve(authority)
    gateway = world.worker()
    stream = gateway.astream(HOLD, "x", EMPTY, 20.0)
    await anext(stream)
    write_server(world.folder, authority)
    assert [await said(gateway, "async") for _ in range(2)] == ["", ""]
    assert len(channels) == len(world.gatekeeper.peers) == 2
    assert channels[0].get_state() is grpc.ChannelConnectivity.READY
    world.gatekeeper.go.set()
    assert await anext(stream) == EMPTY
    assert await anext(stream, None) is None
    assert channels[0].get_state() is grpc.ChannelConnectivity.SHUTDOWN
    assert await said(gateway, "async") == ""
    await gateway.aclose()


async def test_half_a_rotation_leaves_the_certificates_in_use(world: World, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority()
    write_server(world.folder, authority)
    await world.serve(authority)
    gateway = world.worker()
    assert await said(gateway, "async") == ""
    (world.folder / "server.key").write_bytes(authority.issue("another")[1])
    assert [await said(gateway, "async") for _ in range(2)] == ["", ""]
    (world.folder / "ca.crt").unlink()
    assert [await said(gateway, "async") for _ in range(2)] == ["", ""]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    first, second = [record.getMessage() for record in caplog.records]
    assert "MISMATCH" in first and "ca.crt: No such file" in second and "PRIVATE" not in caplog.text
    write_server(world.folder, authority)
    assert await said(gateway, "async") == ""
    assert len(world.gatekeeper.peers) == 2
    await gateway.aclose()


async def test_files_that_were_never_of_use_are_named(world: World) -> None:
    world.port = 1
    gateway = world.worker()
    for call in (gateway.acall(SAY, "x", EMPTY, 5.0), asyncio.to_thread(gateway.call, SAY, "x", EMPTY, 5.0)):
        with pytest.raises(RemoteError, match=r"server.crt|No such file") as failure:
            await call
        assert failure.value.reason == "CREDENTIALS_MISSING"
