"""One instance with its neighbours, on which faults are caused."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from cli.gameday.fault import Setting
from cli.gameday.instance import ROOT, PrivateInstance
from cli.gameday.neighbours import NAME, TARGET, Neighbours
from cli.gameday.processes import memory
from cli.gameday.record import Journal
from cli.gameday.verdict import GROWTH, Gateway

SERVICES = Path(__file__).parent / "services"
WARM = 2.0
"""Seconds of the neighbours' calls before anything is measured."""
SETTLE, PAUSE = 3.0, 0.1


class Stage:
    """`firebreak up` in a temporary folder; `open` first, `close` last. `label` names it where its logs are kept."""

    def __init__(self, setting: Setting, label: str) -> None:
        self.label = label
        self.setting = setting
        self.folder = Path(tempfile.mkdtemp(prefix="fb-"))
        folders = [_folder(name) for name in dict.fromkeys((TARGET, *setting.services))]
        envs = {service: ROOT / ".firebreak/envs" / env for service, env in setting.envs.items()}
        self.instance = PrivateInstance(self.folder / "i", folders, envs, **setting.changes)
        self.neighbours = Neighbours(self.instance)
        self.journal = Journal(self.instance)
        self.began: Gateway | None = None

    async def open(self) -> None:
        """Raises AssertionError where the instance or its calculator does not start, and what `prepare` raises."""
        token = self.instance.user(NAME, TARGET)
        if self.setting.prepare is not None:
            self.setting.prepare(self.instance)
        await asyncio.to_thread(self.instance.start)
        self.neighbours.start(token)
        await asyncio.sleep(WARM)
        if not any(sample.good for sample in self.neighbours.gather()):
            raise AssertionError(f"the neighbours' {TARGET} does not answer: {self.instance.service(TARGET)['reason']}")
        self.began = self.gateway()

    async def close(self) -> None:
        await self.neighbours.stop()
        if self.instance.process is not None:
            await asyncio.to_thread(self.instance.stop)
        shutil.rmtree(self.folder, ignore_errors=True)

    def gateway(self) -> Gateway:
        """The gateway's process now; all zeros while there is none."""
        pid = self.instance.pid("gateway")
        try:
            return Gateway(pid, memory(pid))
        except OSError:
            return Gateway(0, 0.0)

    async def settled(self, before: Gateway) -> Gateway:
        """The gateway when it has given back what it took for messages that are gone, SETTLE seconds later at most."""
        end = time.monotonic() + SETTLE
        now = self.gateway()
        while now.memory - before.memory > GROWTH and time.monotonic() < end:
            await asyncio.sleep(PAUSE)
            now = self.gateway()
        return now

    def renew(self) -> None:
        """The neighbours' token is good for an hour, and a day may be longer."""
        self.instance.issue(NAME)

    def keep_logs(self, folder: Path) -> None:
        """Copies what its processes logged to `folder`, for whoever looks into a leak."""
        shutil.copytree(self.instance.state / "logs", folder / self.label, dirs_exist_ok=True)


def together(settings: Iterable[Setting]) -> Setting:
    """The setting of one instance for all of these."""
    services: dict[str, None] = {}
    envs: dict[str, str] = {}
    for setting in settings:
        services |= dict.fromkeys(setting.services)
        envs |= setting.envs
    prepares = [setting.prepare for setting in settings if setting.prepare is not None]

    def prepare(instance: PrivateInstance) -> None:
        for one in dict.fromkeys(prepares):
            one(instance)

    return Setting(services=tuple(services), envs=envs, prepare=prepare)


def _folder(name: str) -> Path:
    own = SERVICES / name
    return own if own.exists() else ROOT / "services" / name
