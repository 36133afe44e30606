"""Follows the configuration and all that the services are made of, and tells of every change that is complete and right."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from cli.local.house import Wanted
from cli.local.layout import Layout
from cli.local.marks import environment_mark, file_mark, folder_mark
from gateway.adapters.config_files import ConfigError, Loaded, load
from gateway.config import GatewayConfig, ServiceConfig, ServiceEntry

PAUSE = 0.25
_FOLLOWED = ("services", "routes")


class Following:
    """Looks again and again. `changed` gets every configuration that is right, also when only a service's files changed."""

    def __init__(
        self, layout: Layout, loaded: Loaded, changed: Callable[[Loaded], None], say: Callable[[str], None]
    ) -> None:
        self._layout = layout
        self._start = loaded.config
        self._loaded = loaded
        self._seen = loaded.seen
        self._changed = changed
        self._say = say
        self._wrong = ""
        self._restart: list[str] = []
        self._before = self._acted_on = self._mark()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            self.look()

    def look(self) -> None:
        """One look; what is seen a second time alike is no longer being written."""
        now = self._mark()
        complete, self._before = now == self._before, now
        if complete and now != self._acted_on:
            self._acted_on = now
            self._read()

    def _read(self) -> None:
        try:
            loaded = load(Path(os.path.relpath(self._layout.config)))  # errors name it as people do
        except ConfigError as error:
            if str(error) != self._wrong:
                self._say(f"the configuration is wrong, and nothing changes until it is right:\n{error}")
            self._wrong, self._seen = str(error), error.seen
            return
        if self._wrong:
            self._say("the configuration is right again")
        self._wrong, self._loaded, self._seen = "", loaded, loaded.seen
        self._say_what_waits(loaded.config)
        self._changed(loaded)

    def _say_what_waits(self, config: GatewayConfig) -> None:
        keys = [key for key in GatewayConfig.model_fields if key not in _FOLLOWED]
        restart = [key for key in keys if getattr(config, key) != getattr(self._start, key)]
        if restart and restart != self._restart:
            self._say(f"changed, but not in force before Firebreak is started again: {', '.join(restart)}")
        self._restart = restart

    def _mark(self) -> tuple[object, ...]:
        """Of every file that says what there is, and of what the services are made of."""
        parts: list[object] = [self._seen.now()]
        for entry, service in self._loaded.services:
            parts += [folder_mark(self._layout.root / entry.path), environment_mark(self._layout.envs / service.name)]
        return tuple(parts)


def wanted(services: Iterable[tuple[ServiceEntry, ServiceConfig]], root: Path) -> dict[str, Wanted]:
    """Every configured service by name; `root` is the configuration's folder."""
    found = {}
    for entry, config in services:
        folder = root / entry.path
        found[config.name] = Wanted(entry, config, folder_mark(folder), file_mark(folder / "requirements.lock"))
    return found
