"""A private instance of Firebreak for tests: real processes, free ports, its own state and policies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from firebreak.client import Client, Connection, Tls

ROOT = Path(__file__).parents[2]
START = 90.0
"""Seconds within which every service must have settled on a busy machine."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Polls until `condition` returns something true, and returns it; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return result


class Instance:
    """`firebreak up` in `folder`, which must have a short path: Unix sockets live there.

    `services` are the folders to serve, `envs` the environments of those that have one of their own. The shipped policies
    are copied, so that a test may edit them; `changes` replace parts of the shipped configuration.
    """

    def __init__(self, folder: Path, services: list[Path], envs: dict[str, Path] | None = None, **changes: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.ports = {name: free_port() for name in ("public", "mtls", "admin")}
        self.state = folder / ".firebreak"
        self.policies = folder / "policies"
        shutil.copytree(ROOT / "policies", self.policies)
        for service in services:
            if service.parent != ROOT / "services":
                self.grant(service.name)
        self.config = folder / "firebreak.yaml"
        self.config.write_text(yaml.safe_dump(self._configuration(services) | changes))
        self.envs = folder / "envs"
        self.envs.mkdir()
        for service in services:  # a test's own service runs in the calculator's environment
            shipped = (envs or {}).get(service.name, ROOT / ".firebreak/envs" / service.name)
            (self.envs / service.name).symlink_to(shipped if shipped.exists() else shipped.with_name("calculator"))
        self.process: subprocess.Popen[str] | None = None
        self.printed = folder / "printed.txt"

    def _configuration(self, services: list[Path]) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load((ROOT / "firebreak.yaml").read_text())
        for listener in config["listeners"]:
            if listener["name"] in self.ports:
                listener["address"] = f"127.0.0.1:{self.ports[listener['name']]}"
        config["admin"] = f"127.0.0.1:{self.ports['admin']}"
        config["services"] = [
            {"path": str(path), "address": f"unix:.firebreak/run/{path.name}.sock", "identity": f"service:{path.name}"}
            for path in services
        ]
        return config

    def grant(self, target: str) -> None:
        """Lets the developer do everything with a test's own service."""
        file = self.policies / "data/grants.yaml"
        data = yaml.safe_load(file.read_text())
        data["grants"][target] = {"developer": {"roles": ["developer"], "actions": ["describe", "call"]}}
        file.write_text(yaml.safe_dump(data))

    def start(self) -> None:
        with self.printed.open("w") as out:
            self.process = subprocess.Popen(
                [ROOT / ".venv/bin/firebreak", "up", "--config", str(self.config), "--envs", str(self.envs)],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.folder,
            )
        wait_for(self._settled, START, f"the line `ready`; printed so far:\n{self.printed.read_text()}")

    def _settled(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"firebreak up ended:\n{self.printed.read_text()}"
        return "ready" in self.printed.read_text().splitlines()

    def stop(self, number: int = signal.SIGINT, seconds: float = 30.0) -> int:
        """Ends it as a user would and returns its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "FIREBREAK_STATE": str(self.state),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def cli(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / ".venv/bin/firebreak", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            check=False,
        )

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def connection(self) -> Connection:
        token = self.state / "identity/tokens/developer.token"
        return Connection(f"127.0.0.1:{self.ports['public']}", token_file=token)

    def mtls_connection(self) -> Connection:
        identity = self.state / "identity"
        tls = Tls(identity / "ca.crt", identity / "developer.crt", identity / "developer.key", server_name="localhost")
        return Connection(f"127.0.0.1:{self.ports['mtls']}", tls=tls)

    def client(self) -> Client:
        return Client(self.connection())

    def admin(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['admin']}{path}", timeout=10) as response:
            return str(response.read().decode())

    def service(self, name: str) -> dict[str, Any]:
        """One service's row of /status."""
        rows: list[dict[str, Any]] = json.loads(self.admin("/status"))["services"]
        return next(row for row in rows if row["name"] == name)

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that have these labels."""
        total = 0.0
        for line in self.admin("/metrics").splitlines():
            if line.startswith((name + "{", name + " ")) and all(
                f'{key}="{value}"' in line for key, value in labels.items()
            ):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def log(self, name: str) -> list[dict[str, Any]]:
        """The structured lines of one process's log."""
        lines = (self.state / "logs" / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]
