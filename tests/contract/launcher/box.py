"""Code that is started as a service would be, in a real sandbox, and what it tells from inside."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from cli.local.process import Command, Supervised
from cli.local.sandbox.mounts import Place
from cli.local.sandbox.plan import bounds, plan
from cli.local.sandbox.python_home import python_folders
from cli.local.sandbox.walls import Walls
from gateway.config import ServiceConfig

ROOT = Path(__file__).parents[3]
ENV = (ROOT / ".firebreak/envs/calculator").resolve()
SERVICE = {"name": "calculator", "kind": "tool", "version": "1.0.0", "entrypoint": "t:t", "effect": "READ"}
TELL = "import json, os, socket, sys; told = {}\n"
END = "\nprint('TOLD ' + json.dumps(told), flush=True)"


STAY = """
import signal
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
if not os.fork():
    os.setsid()
    signal.pause()
print('READY', flush=True)
while not asked:
    signal.pause()
print('ASKED', flush=True)
"""


class Box:
    """Starts code as a service would be started, and hears what it tells."""

    def __init__(self, root: Path, walls: Walls) -> None:
        self.root = root
        self.walls = walls
        for name in ("service", "own", "door", "identity", "secrets", "data", "home"):
            (root / name).mkdir()
        (root / "identity/token").write_text("secret")
        (root / "service/tool.py").write_text("code")
        (root / "state/identity").mkdir()
        (root / "state/identity/key.json").write_text("key")
        self.place = Place(
            root, root / "state", root / "service", ENV, python_folders(ENV), "unix:own/serve.sock", root / "own",
            root / "door/gateway.sock", root / "identity/token", root / "secrets", None, root / "home",
        )  # fmt: skip
        self.log = root / "log"

    def process(self, code: str, **config: Any) -> Supervised:
        configured = ServiceConfig.model_validate(SERVICE | config)
        made = plan(configured, self.place, self.walls)
        words = [*made.before, str(ENV / "bin/python"), "-I", "-c", TELL + code]
        group = self.walls.cgroups.group("calculator.1", bounds(configured))
        command = Command("x", words, made.environment, self.root, group, self.walls.box is not None, made.claims)
        return Supervised(command, self.log, first_wait=60.0)

    async def tell(self, code: str, **config: Any) -> dict[str, Any]:
        """What the code has put into `told`."""
        process = self.process(code + END, **config)
        async with asyncio.timeout(30):
            task = asyncio.create_task(process.run())
            await until(lambda: process.restarts or "TOLD " in self.said())
        await process.stop(0.0)
        await task
        assert "TOLD " in self.said(), self.said()
        told: dict[str, Any] = json.loads(self.said().rpartition("TOLD ")[2].splitlines()[0])
        return told

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


async def until(condition: Any, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def below(pid: int | None) -> list[int]:
    """Every process that this one has started, and what those have, from the top."""
    found = [pid]
    for one in found:
        found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return [one for one in found[1:] if one is not None]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
