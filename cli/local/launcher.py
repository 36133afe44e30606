"""Starts the gateway and every service on this machine, and keeps them running."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.local.identity import LocalIdentity
from cli.local.process import Command, Supervised, put_aside
from cli.status import fetch
from gateway.adapters.config_files import Loaded
from gateway.config import ServiceConfig, ServiceEntry

POLL = 0.1
ROTATE_EVERY = 60.0
SERVICE_GRACE = 3.0
LARGE_LOG = 16 * 1024**2
"""Bytes from which a log is put aside at the next start; the one before it is let go."""


WRONG_CONFIGURATION = 2
"""Exit code of a gateway that cannot start as it is configured: starting it again would not help."""


class AlreadyRunning(Exception):
    """Another launcher uses the same state folder."""


class StartFailed(Exception):
    """The gateway cannot start; the text says why."""


@dataclass(frozen=True)
class Layout:
    """Where everything is: the configuration's folder, the state folder, the services' environments."""

    config: Path
    state: Path
    envs: Path

    @property
    def root(self) -> Path:
        return self.config.parent

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    def make(self) -> None:
        for folder in (self.state, self.run, self.logs, self.state / "home"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


@dataclass
class Launcher:
    """One instance of Firebreak on this machine. `say` prints a line of progress."""

    layout: Layout
    loaded: Loaded
    say: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)
    _processes: dict[str, Supervised] = field(default_factory=dict)
    _missing: dict[str, str] = field(default_factory=dict)
    _signals: int = 0
    _failure: str = ""

    async def run(self) -> None:
        """Returns when everything has stopped after SIGINT or SIGTERM; a second signal kills.

        Raises AlreadyRunning, or StartFailed when the gateway refuses its configuration or it has no door for services.
        """
        self.layout.make()
        with _exclusive(self.layout.run / "lock"):
            identity = LocalIdentity(self.layout.state)
            self._issue(identity)
            self._write_addresses()
            self._plan()
            stop = asyncio.Event()
            self._on_signals(stop)
            async with asyncio.TaskGroup() as tasks:
                for process in self._processes.values():
                    tasks.create_task(process.run())
                background = [
                    tasks.create_task(self._report_start(stop)),
                    tasks.create_task(self._keep_fresh(identity)),
                ]
                await stop.wait()
                for task in background:
                    task.cancel()
                await self._stop()
        if self._failure:
            raise StartFailed(self._failure)
        self.say("stopped")

    def _issue(self, identity: LocalIdentity) -> None:
        identity.ensure()
        identity.issue_user("developer")
        for _, service in self.loaded.services:
            identity.issue_service(service.name)

    def _write_addresses(self) -> None:
        """For clients on this machine; see firebreak.client.connection."""
        config = self.loaded.config
        addresses = {"public": config.listeners[0].address, "admin": config.admin}
        (self.layout.run / "addresses.json").write_text(json.dumps(addresses))

    def _plan(self) -> None:
        for stale in self.layout.run.glob("*.sock"):
            stale.unlink()
        for log in self.layout.logs.glob("*.log"):
            put_aside(log, LARGE_LOG)
        self._add("gateway", [sys.executable, "-m", "gateway", "--config", self.layout.config], dict(os.environ))
        for entry, service in self.loaded.services:
            python = self.layout.envs / service.name / "bin" / "python"
            if (reason := self._why_not(service.name, python)) is None:
                self._add(
                    service.name, self._service_command(python, entry, service), self._service_environment(service)
                )
            else:
                self._missing[service.name] = reason
                self.say(f"{service.name}: not started. {reason}")

    def _why_not(self, name: str, python: Path) -> str | None:
        """Why a service cannot be started at all, or None."""
        error = self.layout.envs / f"{name}.error"
        if error.exists():
            return error.read_text().strip()
        return (
            None
            if python.exists()
            else f"its environment is not installed: run `python3 scripts/setup.py service {name}`"
        )

    def _service_command(self, python: Path, entry: ServiceEntry, service: ServiceConfig) -> list[str | Path]:
        token = self.layout.state / "identity" / "tokens" / f"{service.name}.token"
        return [python, "-I", "-m", "firebreak_runtime", "--service", entry.path, "--listen", entry.address,
                "--gateway", self._door(), "--token-file", token]  # fmt: skip

    def _door(self) -> str:
        """The listener that services call back through; raises StartFailed where the configuration has none."""
        for listener in self.loaded.config.listeners:
            if listener.address.startswith("unix:"):
                return listener.address
        raise StartFailed("no listener is on a unix socket, and services reach the gateway by one: add it to listeners")

    def _service_environment(self, service: ServiceConfig) -> dict[str, str]:
        """All that a service's process inherits."""
        home = self.layout.state / "home" / service.name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(home)}

    def _add(self, name: str, arguments: list[str | Path], environment: dict[str, str]) -> None:
        environment = {key: value for key, value in environment.items() if key != "PYTHONDONTWRITEBYTECODE"}
        command = Command(name, arguments, environment, self.layout.root)
        self._processes[name] = Supervised(command, self.layout.logs / f"{name}.log", self.layout.run / f"{name}.json")

    def _on_signals(self, stop: asyncio.Event) -> None:
        def received() -> None:
            self._signals += 1
            if self._signals == 1:
                self.say("stopping: calls in flight may finish, Ctrl-C again kills")
                stop.set()
            else:
                for process in self._processes.values():
                    process.kill()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, received)

    async def _stop(self) -> None:
        """The gateway first, so that it drains while the services still answer."""
        await self._processes["gateway"].stop(self.loaded.config.drain + 5.0)
        services = [process for name, process in self._processes.items() if name != "gateway"]
        await asyncio.gather(*(process.stop(SERVICE_GRACE) for process in services))

    async def _keep_fresh(self, identity: LocalIdentity) -> None:
        while True:
            await asyncio.sleep(ROTATE_EVERY)
            try:
                identity.rotate()
            except OSError as error:  # a full disk must not end what runs: the tokens in force last for another while
                self.say(f"tokens could not be renewed, trying again in {ROTATE_EVERY:.0f} s: {error}")

    async def _report_start(self, stop: asyncio.Event) -> None:
        """Says what became ready as it does, then `ready` once, when nothing is starting any more."""
        settled: set[str] = set(self._missing)
        gateway = self._processes["gateway"]
        while True:
            if gateway.exit_code == WRONG_CONFIGURATION:
                self._failure = gateway.said()
                stop.set()
                return
            report = await asyncio.to_thread(self._fetch)
            for service in report["services"]:
                self._say_settled(service, settled)
            if report["services"] and len(settled) == len(report["services"]):
                break
            await asyncio.sleep(POLL)
        self._say_ready(report)

    def _fetch(self) -> dict[str, Any]:
        with contextlib.suppress(OSError):
            return fetch(self.loaded.config.admin, timeout=2.0)
        gateway = self._processes["gateway"]
        if gateway.restarts and gateway.reason:
            self.say(f"gateway: {gateway.reason}")
            gateway.reason = ""
        return {"services": []}

    def _say_settled(self, service: dict[str, Any], settled: set[str]) -> None:
        name = service["name"]
        if name in settled:
            return
        elapsed = time.monotonic() - self.started
        if service["state"] == "ready":
            settled.add(name)
            self.say(f"[{elapsed:5.1f}s] {name}: ready ({service['framework']} {service['framework_version']})")
        elif reason := self._failed(service):
            settled.add(name)
            self._missing[name] = reason
            self.say(f"[{elapsed:5.1f}s] {name}: NOT ready. {reason}")

    def _failed(self, service: dict[str, Any]) -> str:
        """Why a service will not become ready by waiting, or ""."""
        process = self._processes[service["name"]]
        if process.restarts:
            return process.reason
        return str(service["reason"]) if service["state"] == "not_ready" else ""

    def _say_ready(self, report: dict[str, Any]) -> None:
        public = self.loaded.config.listeners[0].address
        total = len(report["services"])
        if self._missing:
            self.say(f"{total - len(self._missing)} of {total} services are ready; see `.venv/bin/firebreak status`")
        self.say(f"gateway on {public}, admin on http://{self.loaded.config.admin}/status")
        self.say("ready")
        self.say("")
        self.say("From a second terminal, try:")
        self.say("  .venv/bin/firebreak status")
        self.say('  .venv/bin/firebreak call calculator \'{"expression": "1234 * 5678"}\'')
        question = "What is 1234 * 5678, and what does the handbook say about refunds?"
        self.say(f'  .venv/bin/firebreak ask assistant "{question}"')
        self.say("Ctrl-C stops everything.")


@contextlib.contextmanager
def _exclusive(lock: Path) -> Any:
    """One launcher a state folder; raises AlreadyRunning."""
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise AlreadyRunning(f"Firebreak runs already (pid {file.read().strip()}); stop it first") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
