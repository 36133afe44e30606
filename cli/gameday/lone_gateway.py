"""A second gateway in front of an instance's services, of which nothing but a fault's own calls depends."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import yaml

from cli.gameday.calls import Caller
from cli.gameday.instance import PrivateInstance, free_port, wait_for
from cli.gameday.processes import descendants

START = 60.0


class LoneGateway:
    """`program` with a configuration of its own: the instance's services and keys, other ports, and a journal in `folder`."""

    def __init__(self, instance: PrivateInstance, name: str, journal: dict[str, Any]) -> None:
        self.folder = instance.folder / name
        self.disk = self.folder / "journal"
        self.disk.mkdir(parents=True, exist_ok=True)
        self.config = instance.folder / f"{name}.yaml"
        self._public, self._admin = free_port(), free_port()
        config = yaml.safe_load(instance.config.read_text())
        config["listeners"] = [{"name": "public", "address": f"127.0.0.1:{self._public}", "accept": ["jwt"]}]
        config["admin"] = f"127.0.0.1:{self._admin}"
        config["journal"] = {"path": f"{name}/journal/journal.db", "heads": f"{name}/journal/heads", **journal}
        self.config.write_text(yaml.safe_dump(config))
        self.caller = Caller(f"127.0.0.1:{self._public}", instance.token)
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, before: Sequence[str], program: Sequence[str], ready: Sequence[str]) -> None:
        """Returns when the services named in `ready` are. Raises NotInTime."""
        self._run([*before, sys.executable, "-m", *program, "--config", str(self.config)])
        await asyncio.to_thread(wait_for, lambda: self._ready(ready), START, f"the gateway {self.folder.name}")

    def _run(self, command: list[str]) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def _ready(self, names: Sequence[str]) -> bool:
        with suppress(OSError, ValueError):
            states = {row["name"]: row["state"] for row in self.status()["services"]}
            return all(states.get(name) == "ready" for name in names)
        return False

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/status", timeout=5) as response:
            report: dict[str, Any] = json.loads(response.read())
        return report

    @property
    def seen_disk(self) -> Path:
        """The journal's folder as the gateway sees it, which may have mounted something there."""
        assert self._process is not None
        pid = max({self._process.pid, *descendants(self._process.pid)})
        return Path(f"/proc/{pid}/root{self.disk}")

    def recorded(self) -> Counter[str]:
        """Ids of the calls in the journal, read from a copy: SQLite would follow the link to the folder as we see it."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("journal.db", "journal.db-wal"):
                with suppress(FileNotFoundError):
                    shutil.copyfile(self.seen_disk / name, Path(folder) / name)
            with closing(sqlite3.connect(Path(folder) / "journal.db")) as database:
                return Counter(call for (call,) in database.execute("SELECT call FROM rows WHERE kind = 'call'"))

    async def stop(self) -> None:
        await self.caller.close()
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, 30)
            self._process.kill()
            await asyncio.to_thread(self._process.wait)


@asynccontextmanager
async def lone_gateway(
    instance: PrivateInstance,
    name: str,
    journal: dict[str, Any],
    *,
    before: Sequence[str] = (),
    program: Sequence[str] = ("gateway",),
    ready: Sequence[str] = ("calculator",),
) -> AsyncIterator[LoneGateway]:
    """One that runs meanwhile."""
    gateway = LoneGateway(instance, name, journal)
    try:
        await gateway.start(before, program, ready)
        yield gateway
    finally:
        await gateway.stop()
