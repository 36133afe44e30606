"""A gateway process whose configuration and services change under load: every call that it took ends well."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from firebreak.v1 import tool_pb2, tool_pb2_grpc

from tests.contract.edge import reason
from tests.contract.gateway_process import Gateway

CALLERS = 8
SERVICE = """\
name: {name}
kind: tool
version: 1.0.0
entrypoint: echo_service:main
# So that the gateway repeats nothing: a call that is lost shows.
effect: MUTATING
limits:
  concurrency: {concurrency}
  rate: {{per_second: 100000, burst: 100000}}
"""
UNBOUNDED = "admission: {principal_rate: {per_second: 100000, burst: 100000}}\n"
OTHER = "  - path: services/other\n    address: unix:other.sock\n"


@dataclass
class Load:
    """What became of the calls that were made without a pause."""

    answered: int = 0
    failed: list[grpc.aio.AioRpcError] = field(default_factory=list)


class Changing(Gateway):
    """A gateway whose services' processes listen on sockets of their own; the addresses are links to those in use."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.numbers: dict[str, int] = {}
        self.instances: dict[str, subprocess.Popen[bytes]] = {}
        self.main = UNBOUNDED + (folder / "firebreak.yaml").read_text()
        self.write("firebreak.yaml", self.main)
        self.configure("echo", 32)
        self.configure("other", 32)

    def configure(self, name: str, concurrency: int) -> None:
        (self.folder / "services" / name).mkdir(exist_ok=True)
        self.write(f"services/{name}/service.yaml", SERVICE.format(name=name, concurrency=concurrency))

    def write(self, path: str, text: str) -> None:
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.replace(self.folder / path)

    def start_service(self, name: str = "echo") -> str:
        """One more process of a service; returns its socket, to which nothing leads yet."""
        number = self.numbers[name] = self.numbers.get(name, 0) + 1
        socket = str(self.folder.resolve() / f"{name}.{number}.sock")
        self.instances[socket] = self.run("echo_service.py", f"unix:{socket}")
        if number == 1:
            self.lead(name, socket)
        return socket

    def lead(self, name: str, socket: str) -> None:
        link = self.folder / "link"
        link.symlink_to(socket)
        link.replace(self.folder / f"{name}.sock")

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/status")[1] or "{}")
        return found

    def row(self, name: str = "echo") -> dict[str, Any]:
        return next((row for row in self.status().get("services", ()) if row["name"] == name), {})

    @asynccontextmanager
    async def stub(self) -> AsyncIterator[Any]:
        async with grpc.aio.insecure_channel(f"unix:{self.folder}/public.sock") as channel:
            yield tool_pb2_grpc.ToolServiceStub(channel)

    async def end(self, long: asyncio.Future[Any]) -> None:
        """Lets a call that waits for it end, which it must with its answer."""
        (self.folder / "release").touch()
        assert (await long).result.content[0].text == "wait"
        for name in ("release", "waiting"):
            (self.folder / name).unlink()

    def in_use(self, name: str, socket: str) -> bool:
        """Whether all calls of a service go to `socket`, and none to another any more."""
        status = self.status()
        here = any((row["name"], row["socket"]) == (name, socket) for row in status["services"])
        return here and not any(each["name"] == name for each in status["configuration"]["draining"])


@pytest.fixture
def gateway(sockets: Path) -> Iterator[Changing]:
    made = Changing(sockets)
    yield made
    made.stop()


async def met(condition: Callable[[], Any], what: str) -> Any:
    """Waits for a condition that asks the gateway, without holding up the load."""
    try:
        async with asyncio.timeout(60):
            while not (found := await asyncio.to_thread(condition)):
                await asyncio.sleep(0.02)
            return found
    except TimeoutError:
        raise AssertionError(f"not in time: {what}") from None


@asynccontextmanager
async def load(gateway: Changing) -> AsyncIterator[Load]:
    """Calls and streams without a pause, until the block ends."""
    done, stop = Load(), asyncio.Event()
    async with gateway.stub() as stub:
        callers = [asyncio.create_task(_call(gateway, stub, done, stop, n % 2 == 0)) for n in range(CALLERS)]
        try:
            yield done
        finally:
            stop.set()
            await asyncio.gather(*callers)


async def _call(gateway: Changing, stub: Any, done: Load, stop: asyncio.Event, streams: bool) -> None:
    while not stop.is_set():
        try:
            if streams:
                request = tool_pb2.ToolServiceStreamRequest(call=_request("echo", "hello").call)
                events = [event async for event in stub.Stream(request, metadata=gateway.bearer(), timeout=30)]
                assert [event.seq for event in events] == [1, 2, 3, 4]
            else:
                answer = await stub.Call(_request("echo", "hello"), metadata=gateway.bearer(), timeout=30)
                assert answer.result.content[0].text == "hello"
            done.answered += 1
        except grpc.aio.AioRpcError as error:
            done.failed.append(error)


async def _long_call(gateway: Changing, stub: Any, name: str) -> asyncio.Future[Any]:
    """A call that has reached its service and stays there."""
    call = asyncio.ensure_future(stub.Call(_request(name, "wait"), metadata=gateway.bearer(), timeout=60))
    await met((gateway.folder / "waiting").exists, "the call is in flight")
    return call


def _request(name: str, text: str) -> tool_pb2.ToolServiceCallRequest:
    call = tool_pb2.ToolCall(target=name, args_json=json.dumps({"text": text}).encode())
    return tool_pb2.ToolServiceCallRequest(call=call)


async def flows(done: Load) -> None:
    """More calls are answered from here on."""
    enough = done.answered + 2 * CALLERS
    await met(lambda: done.answered >= enough or done.failed, "calls are answered")


async def test_instances_change_under_load_and_no_call_is_lost(gateway: Changing) -> None:
    gateway.configure("echo", 3)  # fewer than the callers: some wait in the gateway for a place at the old instance
    await asyncio.to_thread(gateway.start)
    old = gateway.row()["socket"]
    async with load(gateway) as done, gateway.stub() as stub:
        for _ in range(4):
            await flows(done)
            long = await _long_call(gateway, stub, "echo")
            new = gateway.start_service()
            await met(Path(new).exists, "the new process listens")
            gateway.lead("echo", new)
            await met(lambda new=new: gateway.row()["socket"] == new, "new calls go to the new instance")
            await flows(done)
            assert [each["socket"] for each in gateway.status()["configuration"]["draining"]] == [old]
            await gateway.end(long)
            await met(lambda new=new: gateway.in_use("echo", new), "the old instance has no calls any more")
            # Nothing comes to it from now on: it need not even end in order.
            gateway.instances[old].kill()
            old = new
        await flows(done)
    assert [reason(error) for error in done.failed] == []
    assert gateway.status()["configuration"]["reloads"] == 0


async def test_limits_change_under_load_and_no_call_is_lost(gateway: Changing) -> None:
    await asyncio.to_thread(gateway.start)
    async with load(gateway) as done:
        for count, concurrency in enumerate((1, 50, 2, 33), start=1):
            gateway.configure("echo", concurrency)
            await met(
                lambda count=count: gateway.status()["configuration"]["reloads"] >= count, "the gateway read its files"
            )
            await flows(done)
    assert [reason(error) for error in done.failed] == []
    assert gateway.status()["configuration"]["error"] == ""


async def test_a_service_is_added_and_removed_under_load_and_its_last_call_is_answered(gateway: Changing) -> None:
    await asyncio.to_thread(gateway.start)
    gateway.start_service("other")
    async with load(gateway) as done, gateway.stub() as stub:
        gateway.write("firebreak.yaml", gateway.main + OTHER)
        await met(lambda: gateway.row("other").get("state") == "ready", "the new service is ready")
        long = await _long_call(gateway, stub, "other")
        for main, there in ((gateway.main, False), (gateway.main + OTHER, True), (gateway.main, False)):
            gateway.write("firebreak.yaml", main)
            await met(lambda there=there: bool(gateway.row("other")) is there, "the service comes and goes")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Call(_request("other", "hello"), metadata=gateway.bearer(), timeout=30)
        assert reason(caught.value) == "TARGET_UNKNOWN"
        left = gateway.status()["configuration"]["draining"]
        assert ("other", 1) in [(each["name"], each["calls"]) for each in left]
        await gateway.end(long)
        await met(lambda: not gateway.status()["configuration"]["draining"], "nothing of it is left")
        await flows(done)
    assert [reason(error) for error in done.failed] == []


async def test_what_does_not_start_leaves_the_old_one_serving(gateway: Changing) -> None:
    await asyncio.to_thread(gateway.start)
    before = gateway.row()
    assert before["next"] is None
    async with load(gateway) as done:
        gateway.lead("echo", str(gateway.folder.resolve() / "nobody.sock"))
        coming = await met(lambda: gateway.row()["next"], "the new instance is followed")
        assert coming["socket"] == str(gateway.folder.resolve() / "nobody.sock")
        reason_of = await met(lambda: gateway.row()["next"]["reason"], "it is told why it has no calls yet")
        assert reason_of == "nothing answers at unix:echo.sock"
        await flows(done)
        assert (gateway.row()["state"], gateway.row()["socket"]) == ("ready", before["socket"])
        gateway.lead("echo", before["socket"])
        await met(lambda: gateway.row()["next"] is None, "it is taken back")
        await flows(done)
    assert [reason(error) for error in done.failed] == []


async def test_a_wrong_configuration_changes_nothing_and_is_told_everywhere(gateway: Changing) -> None:
    process = await asyncio.to_thread(gateway.start)
    revision = gateway.status()["configuration"]["revision"]
    async with load(gateway) as done:
        gateway.write("firebreak.yaml", gateway.main + "drian: 3s\n")
        process.send_signal(signal.SIGHUP)
        told = await met(lambda: gateway.status()["configuration"]["error"], "the error is told")
        line = gateway.main.count("\n") + 1
        assert told == f"firebreak.yaml:{line}: drian: is no known key; did you mean drain?"
        assert told in (gateway.folder / "log").read_text()
        assert "firebreak_configuration_rejected 1.0" in gateway.get("/metrics")[1]
        assert gateway.status()["configuration"]["revision"] == revision
        assert gateway.get("/readyz")[0] == 200
        await flows(done)
        gateway.write("firebreak.yaml", gateway.main.replace("drain: 5s", "drain: 6s"))
        await met(lambda: gateway.status()["configuration"]["needs_restart"] == ["drain"], "it is mended")
        await flows(done)
    report = gateway.status()["configuration"]
    assert (report["error"], len(report["revision"])) == ("", 64)
    assert report["revision"] != revision
    assert [reason(error) for error in done.failed] == []


async def test_sighup_reads_even_what_did_not_change(gateway: Changing) -> None:
    process = await asyncio.to_thread(gateway.start)
    assert gateway.status()["configuration"]["reloads"] == 0
    process.send_signal(signal.SIGHUP)
    await met(lambda: gateway.status()["configuration"]["reloads"] == 1, "the files were read")
    assert gateway.status()["configuration"]["error"] == ""
    assert gateway.row()["state"] == "ready"
    shutil.rmtree(gateway.folder / "services")
    process.send_signal(signal.SIGHUP)
    await met(lambda: gateway.status()["configuration"]["error"], "the missing folder is told")
    assert gateway.say("hello") == "hello"
