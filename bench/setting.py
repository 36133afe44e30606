"""The processes of the gateway's benchmark: backend, gateway and floor, all on Unix sockets in one folder."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.local.identity import LocalIdentity

ROOT = Path(__file__).parents[1]
START = 60.0
ENOUGH = {"per_second": 1_000_000.0, "burst": 1_000_000}
"""A rate that nobody reaches."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What runs: process ids, and the developer's token."""

    folder: Path
    gateway: int
    floor: int
    token: str

    def address(self, name: str) -> str:
        return f"unix:{self.folder}/{name}.sock"


@contextmanager
def running(folder: Path, admin: int, journal: str = "best-effort") -> Iterator[Setting]:
    """All processes, ready; `folder` must have a short path. The gateway has the shipped policies and logs to a file."""
    _configure(folder, admin, journal)
    identity = LocalIdentity(folder)
    identity.ensure()
    token = identity.issue_user("developer").read_text().strip()
    processes = [
        start(folder, "backend", "bench.backend", "unix:backend.sock"),
        start(folder, "floor", "bench.proxy", "unix:floor.sock", "unix:backend.sock"),
        start(folder, "gateway", "gateway", "--config", str(folder / "firebreak.yaml")),
    ]
    try:
        wait_ready(folder, admin, processes)
        yield Setting(folder, processes[2].pid, processes[1].pid, token)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def _configure(folder: Path, admin: int, journal: str) -> None:
    service = folder / "services/calculator"
    service.mkdir(parents=True)
    tool: dict[str, Any] = {
        "name": "calculator",
        "kind": "tool",
        "version": "1.0.0",
        "entrypoint": "a:b",
        "effect": "READ",
    }
    tool["limits"] = {"rate": ENOUGH}
    (service / "service.yaml").write_text(yaml.safe_dump(tool))
    config = yaml.safe_load((ROOT / "firebreak.yaml").read_text())
    issuer = config["identity"]["issuers"][0] | {"jwks": "identity/users/jwks.json"}
    (folder / "firebreak.yaml").write_text(
        yaml.safe_dump(
            {
                "listeners": [{"name": "public", "address": "unix:gateway.sock", "accept": ["jwt"]}],
                "admin": f"127.0.0.1:{admin}",
                "identity": {"session_keys": "identity/session-keys", "issuers": [issuer]},
                "policy": {"path": str(ROOT / "policies")},
                "journal": {"mode": journal},
                "admission": {"principal_rate": ENOUGH},
                "services": [
                    {"path": "services/calculator", "address": "unix:backend.sock", "identity": "service:calculator"}
                ],
            }
        )
    )


def start(folder: Path, name: str, *module: str) -> subprocess.Popen[bytes]:
    """Runs a module of this repository in `folder`; what it says goes to NAME.log there."""
    with (folder / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-m", *module]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)


def wait_ready(folder: Path, admin: int, processes: list[subprocess.Popen[bytes]]) -> None:
    """Returns when the gateway with this admin port takes calls and has a service; raises RuntimeError with `folder`'s logs."""
    end = time.monotonic() + START
    while not (_ask(admin, "readyz") and b'"state":"ready"' in _ask(admin, "status")):
        if time.monotonic() > end or any(process.poll() is not None for process in processes):
            logs = "\n".join(log.read_text() for log in sorted(folder.glob("*.log")))
            raise RuntimeError(f"the processes did not become ready; they said:\n{logs}")
        time.sleep(0.05)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ask(admin: int, path: str) -> bytes:
    """What is answered; nothing where there is no answer, or an error."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/{path}", timeout=5) as response:
            body: bytes = response.read()
            return body
    except OSError:
        return b""
