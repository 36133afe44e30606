"""A launcher's services with hosts and a gateway that are made for tests; processes, sandboxes, sockets and links are real."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from cli.local.environments import Environments
from cli.local.following import wanted
from cli.local.house import House, Running, Wanted
from cli.local.identity import LocalIdentity
from cli.local.layout import Layout
from cli.local.sandbox.python_home import python_folders
from cli.local.sandbox.walls import clear_cgroups, find
from cli.local.service import LocalService
from cli.local.sockets import Sockets
from cli.local.view import GatewayView
from gateway.config import ServiceConfig, ServiceEntry
from tests.contract.launcher.box import Box

ROOT = Path(__file__).parents[3]
HOST = Path(__file__).with_name("fake_host.py")
OURS = [str(path) for path in (ROOT / ".venv", ROOT / "proto", *python_folders(ROOT / ".venv"))]
"""What the host that is made for tests runs on."""


class Gateway:
    """Has the services that it is told to have; while it `follows`, it is where their addresses lead."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.services: dict[str, str] = {}
        self.state: dict[str, tuple[str, str]] = {}
        self.follows = True
        self.refused: str | None = None
        """Why it takes no newer version: its proof failed."""
        self.draining: list[tuple[str, str]] = []
        self._at: dict[str, str] = {}

    async def fetch(self) -> dict[str, Any]:
        draining = [{"name": name, "socket": socket} for name, socket in self.draining]
        configuration = {"draining": draining}
        return {
            "configuration": configuration,
            "services": [self._row(name) for name in self.services] + [{"name": "another", "state": "ready"}],
        }

    def _row(self, name: str) -> dict[str, Any]:
        address = self.services[name]
        if self.follows and address.startswith("unix:"):
            self._at[name] = self._leads(name)
        socket = self._at.get(name, "")
        there = Path(socket).exists() or not address.startswith("unix:")
        state, reason = self.state.get(name, ("ready" if there else "starting", ""))
        framework = {"framework": "none", "framework_version": "1"}
        coming = (
            None
            if self.refused is None
            else {"state": "not_ready", "reason": self.refused, "socket": self._leads(name)}
        )
        return {"name": name, "state": state, "reason": reason, "socket": socket, "next": coming, **framework}

    def _leads(self, name: str) -> str:
        """Where the address of a service leads now, whether the gateway follows or not."""
        return str((self._root / self.services[name].removeprefix("unix:")).resolve())


class World:
    """One service, `x`, and all that it lives in."""

    def __init__(self, root: Path, tasks: asyncio.TaskGroup, mode: Literal["best-effort", "none"]) -> None:
        self.root = root
        self.folder = root / "x"
        self.folder.mkdir()
        self.said: list[str] = []
        self.gateway = Gateway(root)
        layout = Layout(root / "firebreak.yaml", root / "s", root / "envs")
        layout.make()
        python = root / "envs/x/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!{sys.executable}\n{HOST.read_text()}")
        python.chmod(0o700)
        identity = LocalIdentity(layout.state)
        identity.ensure()
        view = GatewayView(self.gateway.fetch, pause=0.01)
        environments = Environments(layout, self.said.append)
        walls = find(mode, layout.state)
        (root / "door").mkdir()
        door = "unix:door/gateway.sock"
        self.house = House(layout, identity, environments, Sockets(root), view, door, self.said.append, tasks, walls)
        self.service = LocalService("x", self.house)
        self.house.beside(view.run())
        self.house.beside(self.service.run())

    def want(self, behaviour: str, address: str = "unix:run/x.sock", **config: Any) -> None:
        """Configures the service so; the gateway has it from now on."""
        self.gateway.services["x"] = address
        self.wanted = self._configured(behaviour, address, config)
        self.service.want(self.wanted)

    def start(self, behaviour: str, **config: Any) -> Running:
        """Starts one process that nothing leads to."""
        (self.root / "run").mkdir(exist_ok=True)
        return self.house.start(self._configured(behaviour, "unix:run/x.sock", config))

    def _configured(self, behaviour: str, address: str, config: dict[str, Any]) -> Wanted:
        (self.folder / "behaviour").write_text(behaviour)
        entry = ServiceEntry(path="x", address=address, identity="service:x")
        data = {"name": "x", "kind": "tool", "version": "1.0.0", "entrypoint": "x:x", "effect": "READ", "reads": OURS}
        data |= config
        return wanted([(entry, ServiceConfig.model_validate(data))], self.root)["x"]

    def remove(self) -> None:
        self.service.want(None)

    def running(self) -> list[Running]:
        return [running for running in self.house.running if running.process.pid is not None]

    def state(self) -> str:
        file = self.house.state_file("x")
        return file.read_text() if file.exists() else ""

    async def until(self, condition: Callable[[], object], seconds: float = 20.0) -> Any:
        try:
            async with asyncio.timeout(seconds):
                while not (value := condition()):
                    await asyncio.sleep(0.01)
                return value
        except TimeoutError:
            raise AssertionError(f"it did not come about; said: {self.said}") from None

    async def says(self, text: str) -> None:
        """Waits until something with `text` was said, and forgets what was said until then."""
        await self.until(lambda: any(text in line for line in self.said))
        self.said.clear()


@pytest.fixture(params=["none", "best-effort"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Without walls, and with all that can be had here."""
    root, before = Path(tempfile.mkdtemp(prefix="fb-")), Path.cwd()
    os.chdir(root)
    try:
        async with asyncio.TaskGroup() as tasks:
            world = World(root, tasks, request.param)
            yield world
            world.house.quit()
            for running in list(world.house.running):
                running.process.kill()
        clear_cgroups(root / "s")
    finally:
        os.chdir(before)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    (tmp_path / "state/run").mkdir(parents=True)
    walls = find("best-effort", tmp_path / "state")
    if walls.box is None:
        pytest.skip(walls.why_not)
    yield Box(tmp_path, walls)
    walls.cgroups.clear()
