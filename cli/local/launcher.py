"""Starts the gateway and every service on this machine, keeps them running, and follows what is configured."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cli.local.door import shared
from cli.local.egress import EgressProxy
from cli.local.environments import Environments
from cli.local.following import Following, wanted
from cli.local.house import House
from cli.local.identity import LocalIdentity
from cli.local.layout import Layout
from cli.local.logs import LARGE, cut, put_aside
from cli.local.process import Command, Supervised
from cli.local.sandbox.walls import Walls, find
from cli.local.service import LocalService, Outcome
from cli.local.sockets import UNIX, Sockets
from cli.local.view import NOTHING, GatewayView
from cli.status import fetch
from gateway.adapters.config_files import Loaded

POLL = 0.1
ROTATE_EVERY = 60.0
LOOK_AT_LOGS = 1.0
SERVICE_GRACE = 3.0
WRONG_CONFIGURATION = 2
"""Exit code of a gateway that cannot start as it is configured: starting it again would not help."""


class AlreadyRunning(Exception):
    """Another launcher uses the same state folder."""


class StartFailed(Exception):
    """The gateway cannot start; the text says why."""


@dataclass
class Launcher:
    """One instance of Firebreak on this machine; the current folder is the configuration's. `say` prints a line of progress."""

    layout: Layout
    loaded: Loaded
    say: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)
    _services: dict[str, LocalService] = field(default_factory=dict)
    _starting: bool = True
    _signals: int = 0
    _failure: str = ""

    async def run(self) -> None:
        """Returns when everything has stopped after SIGINT or SIGTERM; a second signal kills.

        Raises AlreadyRunning, or StartFailed when the gateway refuses its configuration or it has no door for services.
        """
        self.layout.make()
        with _exclusive(self.layout.run / "lock"):
            identity = LocalIdentity(self.layout.state)
            identity.ensure()
            identity.issue_user("developer")
            self._clean()
            self._write_addresses()
            gateway, door = self._gateway(), self._door()
            walls = self._walls(door)
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                house, egress = self._house(identity, door, walls, tasks), EgressProxy(self.layout, tasks)
                self._on_signals(stop, gateway, house)
                tasks.create_task(gateway.run())
                self._follow(self.loaded, house, egress)
                background = [
                    tasks.create_task(work)
                    for work in (
                        house.gateway.run(),
                        self._report_start(gateway, house.gateway, stop),
                        self._keep_fresh(identity),
                        self._bound_logs(),
                        Following(
                            self.layout, self.loaded, lambda now: self._follow(now, house, egress), self.say
                        ).run(),
                    )
                ]
                await stop.wait()
                for task in background:
                    task.cancel()
                await self._stop(gateway, house, egress)
            walls.cgroups.clear()
        if self._failure:
            raise StartFailed(self._failure)
        self.say("stopped")

    def _walls(self, door: str) -> Walls:
        """What can be put around services here; without a sandbox it is said once, and `firebreak status` has the rest."""
        walls = find(self.loaded.config.sandbox, self.layout.state)
        if walls.box is not None and (why := shared(self.layout, self.loaded, door)):
            walls = replace(walls, box=None, why_not=why)
        if walls.mode != "none" and walls.box is None:
            self._say_timed(f"services are started WITHOUT a sandbox: {walls.why_not}")
        return walls

    def _house(self, identity: LocalIdentity, door: str, walls: Walls, tasks: asyncio.TaskGroup) -> House:
        async def report() -> dict[str, Any]:
            return await asyncio.to_thread(fetch, self.loaded.config.admin, 2.0)

        return House(
            layout=self.layout,
            identity=identity,
            environments=Environments(self.layout, self._say_timed),
            sockets=Sockets(self.layout.root),
            gateway=GatewayView(report, POLL),
            door=door,
            say=self._say_timed,
            tasks=tasks,
            walls=walls,
        )

    def _follow(self, loaded: Loaded, house: House, egress: EgressProxy) -> None:
        """Makes every service what it is configured to be now, and ends those that are not configured any more."""
        try:
            egress.follow(config for _, config in loaded.services)
        except OSError as error:  # a full disk must not end what runs
            self.say(f"what services may reach is not brought about: {error}")
        configured = wanted(loaded.services, self.layout.root)
        for name in configured.keys() - self._services.keys():
            self._services[name] = LocalService(name, house)
            house.beside(self._services[name].run())
        for name, service in self._services.items():
            service.want(configured.get(name))

    def _clean(self) -> None:
        """Removes what a launcher that was killed left behind."""
        for stale in (*self.layout.run.glob("*.sock"), *self.layout.run.glob("*.json")):
            stale.unlink()
        sockets = Sockets(self.layout.root)
        for entry, _ in self.loaded.services:
            if entry.address.startswith(UNIX):
                sockets.clear(entry.address)
        shutil.rmtree(self.layout.egress, ignore_errors=True)
        for log in self.layout.logs.glob("*.log"):
            put_aside(log, LARGE)

    def _write_addresses(self) -> None:
        """For clients on this machine; see firebreak.client.connection."""
        config = self.loaded.config
        addresses = {"public": config.listeners[0].address, "admin": config.admin}
        (self.layout.run / "addresses.json").write_text(json.dumps(addresses))

    def _door(self) -> str:
        """The listener that services call back through; raises StartFailed where the configuration has none."""
        for listener in self.loaded.config.listeners:
            if listener.address.startswith(UNIX):
                # Sandboxes that are made before the gateway's socket show its folder.
                (self.layout.root / listener.address.removeprefix(UNIX)).parent.mkdir(parents=True, exist_ok=True)
                return listener.address
        raise StartFailed("no listener is on a unix socket, and services reach the gateway by one: add it to listeners")

    def _gateway(self) -> Supervised:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        arguments: list[str | Path] = [sys.executable, "-m", "gateway", "--config", self.layout.config]
        command = Command("gateway", arguments, environment, self.layout.root)
        return Supervised(command, self.layout.logs / "gateway.log", self.layout.run / "gateway.json")

    def _on_signals(self, stop: asyncio.Event, gateway: Supervised, house: House) -> None:
        def received() -> None:
            self._signals += 1
            if self._signals == 1:
                self.say("stopping: calls in flight may finish, Ctrl-C again kills")
                stop.set()
            else:
                for process in (gateway, *(running.process for running in house.running)):
                    process.kill()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, received)

    async def _stop(self, gateway: Supervised, house: House, egress: EgressProxy) -> None:
        """The gateway first, so that it drains while the services still answer."""
        house.quit()
        await gateway.stop(self.loaded.config.drain + 5.0)
        # SIGINT: there is nobody left who could send them calls.
        await asyncio.gather(*(house.end(running, SERVICE_GRACE, signal.SIGINT) for running in list(house.running)))
        if egress.process is not None:
            await egress.process.stop(SERVICE_GRACE)

    async def _keep_fresh(self, identity: LocalIdentity) -> None:
        while True:
            await asyncio.sleep(ROTATE_EVERY)
            try:
                identity.rotate()
            except OSError as error:  # a full disk must not end what runs: the tokens in force last for another while
                self.say(f"tokens could not be renewed, trying again in {ROTATE_EVERY:.0f} s: {error}")

    async def _bound_logs(self) -> None:
        """A process that writes without end fills no disk."""
        while True:
            await asyncio.sleep(LOOK_AT_LOGS)
            for log in self.layout.logs.glob("*.log"):
                with contextlib.suppress(OSError):
                    if log.stat().st_size > LARGE:
                        await asyncio.to_thread(cut, log, LARGE)

    async def _report_start(self, gateway: Supervised, view: GatewayView, stop: asyncio.Event) -> None:
        """Says `ready` once, when nothing is starting any more; the services speak for themselves."""
        restarts = 0
        answering = asyncio.ensure_future(view.until(lambda report: report is not NOTHING))
        while any(service.outcome is Outcome.PENDING for service in self._services.values()) or not answering.done():
            if gateway.exit_code == WRONG_CONFIGURATION:
                self._failure = gateway.said()
                stop.set()
                return
            if gateway.restarts > restarts:
                restarts = gateway.restarts
                self.say(f"gateway: {gateway.reason}")
            await asyncio.sleep(POLL)
        self._starting = False
        self._say_ready()

    def _say_timed(self, text: str) -> None:
        elapsed = time.monotonic() - self.started
        self.say(f"[{elapsed:5.1f}s] {text}" if self._starting else text)

    def _say_ready(self) -> None:
        public = self.loaded.config.listeners[0].address
        ready = sum(service.outcome is Outcome.READY for service in self._services.values())
        if ready < len(self._services):
            self.say(f"{ready} of {len(self._services)} services are ready; see `.venv/bin/firebreak status`")
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
def _exclusive(lock: Path) -> Iterator[None]:
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
