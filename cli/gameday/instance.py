"""A private instance of Firebreak: real processes, free ports, its own state and policies."""

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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from firebreak.client import Client, Connection, Tls

from cli.local.identity import LocalIdentity

ROOT = Path(__file__).parents[2]
"""The repository: what is shipped, and where setup has installed the services' environments."""
START = 90.0
"""Seconds within which every service must have settled on a busy machine."""


class NotInTime(AssertionError):
    """Something that was waited for did not happen."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Polls until `condition` returns something true, and returns it; raises NotInTime after `seconds`."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() >= end:
            raise NotInTime(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return result


class PrivateInstance:
    """`firebreak up` in `folder`, which must have a short path: Unix sockets live there.

    `services` are the folders to serve, `envs` the environments of those that have one of their own. The shipped policies
    are copied, so that they may be edited; `changes` replace parts of the shipped configuration.
    """

    def __init__(
        self, folder: Path, services: Sequence[Path], envs: Mapping[str, Path] | None = None, **changes: Any
    ) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.ports = {name: free_port() for name in ("public", "mtls", "admin")}
        self.state = folder / ".firebreak"
        self.policies = folder / "policies"
        shutil.copytree(ROOT / "policies", self.policies)
        self.config = folder / "firebreak.yaml"
        self.config.write_text(yaml.safe_dump(self._configuration(services) | changes))
        self.envs = folder / "envs"
        self.envs.mkdir()
        for service in services:
            self.serve(service, (envs or {}).get(service.name))
        self.process: subprocess.Popen[str] | None = None
        self.printed = folder / "printed.txt"
        self.extra: dict[str, str] = {}
        """Beside this process's own, in the environment of `firebreak up`."""

    def serve(self, service: Path, env: Path | None = None) -> None:
        """Links the environment of the service in this folder, and lets the developer use one that is not shipped.

        A service without an environment of its own runs in the calculator's.
        """
        if service.parent != ROOT / "services":
            self.grant(service.name)
        shipped = env or ROOT / ".firebreak/envs" / service.name
        (self.envs / service.name).symlink_to(shipped if shipped.exists() else shipped.with_name("calculator"))

    def _configuration(self, services: Sequence[Path]) -> dict[str, Any]:
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
        """Lets the developer do everything with a service; other grants for it stay."""
        self.edit(
            "data/grants.yaml", lambda data: data["grants"].setdefault(target, {}).update(_everything("developer"))
        )

    def edit(self, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
        """Changes a YAML file of the policies in one step."""
        _edit(self.policies / name, change)

    def configure(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """The same for firebreak.yaml."""
        _edit(self.config, change)

    def user(self, name: str, *targets: str) -> Path:
        """A person "user:NAME" who may use these targets; answers the file with the token, which is good for an hour."""
        self.edit("data/roles.yaml", lambda data: data["roles"].update({name: {"principals": [f"user:{name}"]}}))

        def grant(data: dict[str, Any]) -> None:
            for target in targets:
                data["grants"].setdefault(target, {}).update(_everything(name))

        self.edit("data/grants.yaml", grant)
        return self.issue(name)

    def issue(self, name: str) -> Path:
        """A fresh token for "user:NAME"; answers its file."""
        identity = LocalIdentity(self.state)
        identity.ensure()
        return identity.issue_user(name)

    def start(self) -> None:
        """Returns when every service is ready or has failed. Raises AssertionError where `firebreak up` ends or is too slow."""
        with self.printed.open("w") as out:
            self.process = subprocess.Popen(
                [ROOT / ".venv/bin/firebreak", "up", "--config", str(self.config), "--envs", str(self.envs)],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.folder,
                env=os.environ | self.extra,
            )
        try:
            wait_for(self._settled, START, "the line `ready`")
        except NotInTime as error:
            raise NotInTime(f"{error}; printed so far:\n{self.printed.read_text()}") from None

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
        return self._run([str(ROOT / ".venv/bin/firebreak"), *arguments], stdin)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "-c", code])

    def _run(self, command: list[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment(),
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            check=False,
        )

    @property
    def token(self) -> Path:
        """The file with the developer's token."""
        return self.state / "identity/tokens/developer.token"

    def connection(self, token_file: Path | None = None) -> Connection:
        """To the public listener, with the developer's token or that in another file."""
        return Connection(f"127.0.0.1:{self.ports['public']}", token_file=token_file or self.token)

    def mtls_connection(self) -> Connection:
        identity = self.state / "identity"
        tls = Tls(identity / "ca.crt", identity / "developer.crt", identity / "developer.key", server_name="localhost")
        return Connection(f"127.0.0.1:{self.ports['mtls']}", tls=tls)

    def client(self) -> Client:
        return Client(self.connection())

    def admin(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['admin']}{path}", timeout=10) as response:
            return str(response.read().decode())

    def status(self) -> dict[str, Any]:
        """The gateway's /status."""
        report: dict[str, Any] = json.loads(self.admin("/status"))
        return report

    def service(self, name: str) -> dict[str, Any]:
        """One service's row of /status."""
        return next(row for row in self.status()["services"] if row["name"] == name)

    def run_file(self, name: str) -> dict[str, Any]:
        """What the launcher wrote of the gateway or of a service: pid, restarts, reason; empty where it wrote nothing."""
        try:
            found: dict[str, Any] = json.loads((self.state / "run" / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def pid(self, name: str) -> int:
        """The process that the launcher started for "gateway" or a service; 0 while there is none."""
        return int(self.run_file(name).get("pid") or 0)

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


def _edit(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    data = yaml.safe_load(file.read_text())
    change(data)
    partial = file.with_suffix(".part")
    partial.write_text(yaml.safe_dump(data))
    partial.replace(file)


def _everything(role: str) -> dict[str, Any]:
    return {role: {"roles": [role], "actions": ["describe", "call"]}}
