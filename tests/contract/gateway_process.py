"""The gateway as a process with all its real parts, in a folder of a test's own, with one hand-written service behind it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from firebreak.v1 import tool_pb2, tool_pb2_grpc

from cli.local.identity import LocalIdentity
from tests.contract.edge import details

FILES = Path(__file__).parent / "process"
START = 60.0
"""Seconds within which a process has started on a busy machine."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + START
    while not (found := condition()):
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.02)
    return found


class Gateway:
    """A gateway and its one service in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(FILES, folder, dirs_exist_ok=True)
        self.admin, self.mtls = free_port(), free_port()
        config = (folder / "firebreak.yaml").read_text()
        config = config.replace("17501", str(self.admin)).replace("17502", str(self.mtls))
        (folder / "firebreak.yaml").write_text(config)
        identity = LocalIdentity(folder)
        identity.ensure()
        self.token = identity.issue_user("developer").read_text().strip()
        self.stranger = identity.issue_user("stranger").read_text().strip()
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([sys.executable, *arguments], cwd=self.folder, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def start(self) -> subprocess.Popen[bytes]:
        """Both processes, ready; returns the gateway's."""
        self.start_service()
        # From another folder, since paths are relative to the file.
        process = self.run("-m", "gateway", "--config", str(self.folder / "firebreak.yaml"))
        wait_for(lambda: self.exited(process) or self.service()["state"] == "ready", "the service is ready")
        return process

    def start_service(self) -> None:
        self.run("echo_service.py", "unix:echo.sock")

    def exited(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, (self.folder / "log").read_text()
        return False

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def service(self) -> dict[str, Any]:
        status, body = self.get("/status")
        found: dict[str, Any] = json.loads(body)["services"][0] if status == 200 else {"state": "unknown"}
        return found

    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(f"unix:{self.folder}/public.sock")

    def mtls_channel(self) -> grpc.Channel:
        identity = self.folder / "identity"
        files = [(identity / name).read_bytes() for name in ("ca.crt", "developer.key", "developer.crt")]
        return grpc.secure_channel(f"localhost:{self.mtls}", grpc.ssl_channel_credentials(*files))

    def bearer(self, token: str | None = None) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {token or self.token}"),)

    def say(self, text: str, channel: grpc.Channel | None = None, **options: Any) -> Any:
        """The answer's text, or the error."""
        stub = tool_pb2_grpc.ToolServiceStub(channel or self.channel())
        options = {"metadata": self.bearer(), "timeout": 10, **options}
        try:
            return stub.Call(request(text), **options).result.content[0].text
        except grpc.RpcError as error:
            return error

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def request(text: str) -> tool_pb2.ToolServiceCallRequest:
    call = tool_pb2.ToolCall(target="echo", args_json=json.dumps({"text": text}).encode())
    return tool_pb2.ToolServiceCallRequest(call=call)


def reason(error: Any) -> str:
    assert isinstance(error, grpc.RpcError), error
    return str(details(error)["ErrorInfo"].reason)  # type: ignore[arg-type]
