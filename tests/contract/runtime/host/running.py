"""A real host in a process of its own, with real zygote and workers, and a real gRPC client."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from firebreak.v1 import tool_pb2, tool_pb2_grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

ENTRY = Path(__file__).with_name("host_entry.py")


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The condition's value once it is true. Fails the test if that takes longer than `seconds`."""
    limit = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < limit, "it did not come about"
        await asyncio.sleep(0.002)
    return value


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> set[int]:
    """Process ids of all that came from `pid` and still hang below it."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


class HostProcess:
    """One host. Its folder holds service.yaml, the socket and the log."""

    def __init__(
        self,
        settings: dict[str, Any],
        files: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        command: tuple[str, ...] = (str(ENTRY),),
        **options: Any,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fb-"))
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text)
        (self.folder / "service.yaml").write_text(json.dumps(settings))
        options = {
            "service": self.folder,
            "listen": f"unix:{self.folder}/s",
            "gateway": "unix:none",
            "token-file": "none",
            **options,
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", *command, *arguments],
                stderr=log,
                env={**os.environ, **(environment or {})},
                pass_fds=[options["workers-group"]] if "workers-group" in options else [],
            )

    def stop(self) -> set[int]:
        """Ends the host; returns the processes that hung below it."""
        below = descendants(self.process.pid) if self.process.poll() is None else set()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # nobody is left to send it calls
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
        shutil.rmtree(self.folder)
        return below


class Running:
    """A client of one host, and a look at its processes."""

    def __init__(self, host: HostProcess) -> None:
        self.process = host.process
        self.folder = host.folder
        self.log = host.folder / "log"
        self.channel = grpc.aio.insecure_channel(
            f"unix:{host.folder}/s", options=(("grpc.max_receive_message_length", -1),)
        )
        self.stub = tool_pb2_grpc.ToolServiceStub(self.channel)

    async def health(self) -> int:
        stub = health_pb2_grpc.HealthStub(self.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=10, wait_for_ready=True)
        return int(answer.status)

    async def ready(self, wanted: int = health_pb2.HealthCheckResponse.SERVING) -> None:
        """Waits until the host says that it is (or is not) healthy."""
        limit = time.monotonic() + 20
        while await self.health() != wanted:
            assert time.monotonic() < limit, self.log.read_text()
            await asyncio.sleep(0.005)

    def call(self, timeout: float | None = 10.0, metadata: Any = None, key: str = "", **args: Any) -> Any:
        return self.raw(json.dumps(args).encode(), timeout=timeout, metadata=metadata, idempotency_key=key)

    def raw(self, args_json: bytes, timeout: float | None = 10.0, metadata: Any = None, **fields: Any) -> Any:
        call = tool_pb2.ToolCall(**{"target": "probe", "args_json": args_json, **fields})
        return self.stub.Call(tool_pb2.ToolServiceCallRequest(call=call), timeout=timeout, metadata=metadata)

    async def text(self, **args: Any) -> str:
        """The text that the tool answers with."""
        return str((await self.call(**args)).result.content[0].text)

    def stream(self, timeout: float = 10.0, **args: Any) -> Any:
        call = tool_pb2.ToolCall(target="probe", args_json=json.dumps(args).encode())
        return self.stub.Stream(tool_pb2.ToolServiceStreamRequest(call=call), timeout=timeout)

    def zygote(self) -> int:
        (pid,) = (
            int(p) for t in Path(f"/proc/{self.process.pid}/task").glob("*/children") for p in t.read_text().split()
        )
        return pid

    def workers(self) -> set[int]:
        return descendants(self.process.pid) - {self.zygote()}

    def events(self, event: str) -> list[dict[str, Any]]:
        """Lines of the log."""
        lines = [json.loads(line) for line in self.log.read_text().rpartition("\n")[0].splitlines()]
        return [line for line in lines if line["event"] == event]

    async def noted(self, name: str = "pid") -> int:
        """The process id that a tool has left in a file."""
        path = self.folder / name
        await until(path.exists)
        return int(path.read_text())


def details(error: grpc.aio.AioRpcError) -> tuple[error_details_pb2.ErrorInfo, error_details_pb2.BadRequest]:
    """ErrorInfo and BadRequest of a status; empty where there is none, as when the client itself gave up."""
    status = rpc_status.from_call(error)
    info, wrong = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details if status is not None else ():
        for message in (info, wrong):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    return info, wrong


async def refusal(call: Any) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo, error_details_pb2.BadRequest]:
    """Status code and details of a call that has to fail."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return (error.code(), *details(error))
    raise AssertionError("the call did not fail")
