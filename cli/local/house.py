"""What the services of one instance share, and how a process of one is started."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.environments import Environments, Recipe
from cli.local.identity import LocalIdentity
from cli.local.layout import Layout
from cli.local.marks import Mark
from cli.local.process import Command, Supervised
from cli.local.sockets import UNIX, Sockets
from cli.local.view import GatewayView
from gateway.config import ServiceConfig, ServiceEntry

LONGEST_GRACE = 30.0
"""Seconds that calls of a process on its way out get at most."""
MARGIN = 5.0
"""Seconds beside that in which the process ends what it started."""


@dataclass(frozen=True)
class Wanted:
    """A service as it is configured, and the marks of its folder and of the lock that its environment is made from."""

    entry: ServiceEntry
    config: ServiceConfig
    code: Mark
    lock: Mark

    @property
    def recipe(self) -> Recipe:
        return self.lock, self.config.python


@dataclass(frozen=True)
class Running:
    """One process of a service. It listens on `own`; callers connect to `address`, which leads there while it is in use."""

    process: Supervised
    config: ServiceConfig
    address: str
    own: str
    socket: str
    """The real path of `own`, as the gateway reports it; "" for one that is on no unix socket."""

    @property
    def grace(self) -> float:
        return _grace(self.config)


@dataclass
class House:
    """`door` is the gateway's address for services, `say` prints a line of progress, `tasks` runs what goes on beside it."""

    layout: Layout
    identity: LocalIdentity
    environments: Environments
    sockets: Sockets
    gateway: GatewayView
    door: str
    say: Callable[[str], None]
    tasks: asyncio.TaskGroup
    running: list[Running] = field(default_factory=list)
    """Every process of a service that has not ended for good."""
    _beside: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, wanted: Wanted) -> Running:
        """Starts a process on a socket of its own, to which nothing leads yet. Raises NoRoom, ValueError, OSError."""
        name = wanted.config.name
        self.identity.issue_service(name)
        address = wanted.entry.address
        own = self.sockets.beside(address) if address.startswith(UNIX) else address
        command = Command(name, self._arguments(wanted, own), self._environment(name), self.layout.root)
        process = Supervised(command, self.layout.logs / f"{name}.log")
        socket = str(self.sockets.path(own).resolve()) if address.startswith(UNIX) else ""
        running = Running(process, wanted.config, address, own, socket)
        self.running.append(running)
        self.tasks.create_task(process.run())
        return running

    def beside(self, work: Coroutine[None, None, None]) -> None:
        """Does `work` while its caller goes on; `quit` gives it up."""
        task = self.tasks.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def quit(self) -> None:
        for task in self._beside:
            task.cancel()

    def processes_of(self, name: str) -> list[Running]:
        return [running for running in self.running if running.config.name == name]

    def state_file(self, name: str) -> Path:
        return self.layout.run / f"{name}.json"

    async def end(self, running: Running) -> None:
        """Ends a process; its calls may finish."""
        await running.process.stop(running.grace + MARGIN)
        self.running.remove(running)
        with contextlib.suppress(OSError):  # what is left over is removed at the next start
            if running.socket:
                self.sockets.drop(running.address, running.own)

    def forget(self, name: str) -> None:
        """Removes what belongs to a service that is gone; its token is not renewed any more."""
        with contextlib.suppress(OSError):
            self.identity.withdraw(name)
            self.state_file(name).unlink(missing_ok=True)

    def _arguments(self, wanted: Wanted, own: str) -> list[str | Path]:
        name = wanted.config.name
        options: dict[str, str | Path] = {"--service": wanted.entry.path, "--listen": own, "--gateway": self.door,
                   "--token-file": self.identity.token_file(name), "--grace": f"{_grace(wanted.config):g}"}  # fmt: skip
        words = [word for option in options.items() for word in option]
        return [self.environments.python(name), "-I", "-m", "firebreak_runtime", *words]

    def _environment(self, name: str) -> dict[str, str]:
        """All that a service's process inherits."""
        home = self.layout.state / "home" / name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(home)}


def _grace(config: ServiceConfig) -> float:
    """Seconds that a service's calls get when their process is asked to end."""
    return min(config.limits.max_deadline, LONGEST_GRACE)
