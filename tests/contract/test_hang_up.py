"""Connections end with their listener, and nobody who called takes that for a cancellation of his own."""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
import pytest

from gateway.hang_up import hang_up
from gateway.running import Running
from gateway.server import Bound
from tests.contract.edge import UNARY, Chain, echo, listening

CALLS = 20


class Client:
    """Makes calls on a thread of its own, whatever the loop is busy with."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])  # its own connection
        grpc.channel_ready_future(self._channel).result(10)
        self._sent = threading.Event()
        self.codes: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run)

    def call(self) -> None:
        """Returns when the calls are on their way."""
        self._thread.start()
        self._sent.wait(10)

    def _run(self) -> None:
        method = self._channel.unary_unary(UNARY)
        calls = [method.future(b"", timeout=10) for _ in range(CALLS)]
        self._sent.set()
        self.codes.update(call.code().name for call in calls)

    def end(self) -> None:
        self._thread.join(10)
        self._channel.close()


async def _stopped_in_the_middle_of_calls(bound: Bound, address: str, hang: bool) -> Counter[str]:
    """How calls end that gRPC has received while the gateway's loop was busy, and that it has not handed on yet."""
    client = await asyncio.to_thread(Client, address)
    try:
        client.call()
        time.sleep(0.2)  # noqa: ASYNC251  (the loop is busy; gRPC reads on threads of its own, and nothing tells when it has)
        await (bound.stop(1.0) if hang else bound.server.stop(1.0))
    finally:
        await asyncio.to_thread(client.end)
    return client.codes


@pytest.mark.parametrize("unix", [False, True])
async def test_calls_that_come_with_the_end_are_not_told_that_they_were_cancelled(tmp_path: Path, unix: bool) -> None:
    listens = f"unix:{tmp_path}/s" if unix else "127.0.0.1:0"
    async with listening(Chain(echo), listens) as bound:
        codes = await _stopped_in_the_middle_of_calls(bound, listens if unix else f"127.0.0.1:{bound.port}", True)
    assert set(codes) == {"UNAVAILABLE"}
    assert codes.total() == CALLS


async def test_grpc_alone_says_cancelled() -> None:
    """Were it otherwise, connections would not have to be ended by us."""
    async with listening(Chain(echo), "127.0.0.1:0") as bound:
        assert (await _stopped_in_the_middle_of_calls(bound, f"127.0.0.1:{bound.port}", False))["CANCELLED"]


async def test_only_connections_to_the_listener_end(tmp_path: Path) -> None:
    running = Running()
    one, other = f"unix:{tmp_path}/one", f"unix:{tmp_path}/other"
    async with listening(Chain(echo), one, running=running), listening(Chain(echo), other), asyncio.timeout(10):
        clients = [await asyncio.to_thread(Client, address) for address in (one, one, other)]
        assert hang_up(0, f"{tmp_path}/nobody") == 0
        assert hang_up(0, "") == 0, "no listener: what this process has connected to has no name of its own either"
        assert hang_up(0, f"{tmp_path}/one") == 2
        for client in clients:
            client.call()
        for client in clients:
            await asyncio.to_thread(client.end)
        assert clients[2].codes == {"OK": CALLS}
        assert len(running) == 0


async def test_without_a_descriptor_left_to_look_the_listener_stops_all_the_same() -> None:
    bounds = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with listening(Chain(echo), "127.0.0.1:0") as bound:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, bounds[1]))
        try:
            await bound.stop(1.0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, bounds)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", bound.port), 10).close()


def test_a_listener_goes_on_and_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, (tmp_path / "file").open("w") as file:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, listener.accept()[0]:
            assert hang_up(port, "") == 1
            assert client.recv(1) == b""
        listener.settimeout(10)
        with socket.create_connection(("127.0.0.1", port)) as client, listener.accept()[0] as connection:
            assert connection.getpeername() == client.getsockname()
        assert file.write("whole") == 5
