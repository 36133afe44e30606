"""What the services of one instance share, and how a process of one is started."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.environments import Environments, Recipe
from cli.local.identity import LocalIdentity
from cli.local.layout import Layout
from cli.local.liveness import watch
from cli.local.marks import Mark
from cli.local.placing import place
from cli.local.process import Command, Supervised
from cli.local.sandbox.plan import bounds, plan
from cli.local.sandbox.walls import Walls
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
    """`door` is the gateway's address for services, `say` prints a line of progress, `tasks` runs what goes on beside it.

    Every service stands behind `walls`.
    """

    layout: Layout
    identity: LocalIdentity
    environments: Environments
    sockets: Sockets
    gateway: GatewayView
    door: str
    say: Callable[[str], None]
    tasks: asyncio.TaskGroup
    walls: Walls
    running: list[Running] = field(default_factory=list)
    """Every process of a service that has not ended for good."""
    _beside: set[asyncio.Task[None]] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self, wanted: Wanted) -> Running:
        """Starts a process on a socket of its own, to which nothing leads yet. Raises NoRoom, NoWall, ValueError, OSError."""
        self.identity.issue_service(wanted.config.name)
        address = wanted.entry.address
        own = self.sockets.beside(address) if address.startswith(UNIX) else address
        try:
            process = Supervised(self._command(wanted, own), self.layout.logs / f"{wanted.config.name}.log")
        except BaseException:
            self._drop(address, own)
            raise
        socket = str(self.sockets.path(own).resolve()) if address.startswith(UNIX) else ""
        running = Running(process, wanted.config, address, own, socket)
        self.running.append(running)
        self.tasks.create_task(self._live(running))
        return running

    async def _live(self, running: Running) -> None:
        watching = asyncio.ensure_future(watch(running.own, running.process, self.say))
        try:
            await running.process.run()
        finally:
            watching.cancel()

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

    async def end(self, running: Running, grace: float | None = None, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends a process; its calls may finish, within `grace` seconds or its own grace."""
        await running.process.stop(running.grace + MARGIN if grace is None else grace, number)
        self.running.remove(running)
        self._drop(running.address, running.own)

    def forget(self, name: str) -> None:
        """Removes what belongs to a service that is gone; its token is not renewed any more."""
        with contextlib.suppress(OSError):
            self.identity.withdraw(name)
            self.state_file(name).unlink(missing_ok=True)

    def _drop(self, address: str, own: str) -> None:
        with contextlib.suppress(OSError):  # what is left over is removed at the next start
            if address.startswith(UNIX):
                self.sockets.drop(address, own)

    def _command(self, wanted: Wanted, own: str) -> Command:
        config, name = wanted.config, wanted.config.name
        env, token = self.environments.folder(name), self.identity.service_token(name)
        where = place(self.layout, wanted.entry.path, config, own, self.door, token, env)
        planned = plan(config, where, self.walls)
        host = (self.environments.python(name), "-I", "-m", "firebreak_runtime", "--service", where.service)
        return Command(
            name,
            [*planned.before, *host, "--grace", f"{_grace(config):g}", *planned.options],
            planned.environment,
            self.layout.root,
            self.walls.cgroups.group(f"{name}.{next(self._numbers)}", bounds(config)),
            self.walls.box is not None,
            planned.claims,
        )


def _grace(config: ServiceConfig) -> float:
    """Seconds that a service's calls get when their process is asked to end."""
    return min(config.limits.max_deadline, LONGEST_GRACE)
