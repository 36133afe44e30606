"""The egress proxy: a process beside the gateway, which is there once a service may reach anything, and what each may reach."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cli.local.layout import Layout
from cli.local.process import Command, Supervised
from gateway.config import Egress, ServiceConfig


class EgressProxy:
    """Writes down what is allowed whenever it changes; the proxy follows the file."""

    def __init__(self, layout: Layout, tasks: asyncio.TaskGroup) -> None:
        self.process: Supervised | None = None
        self._layout = layout
        self._tasks = tasks
        self._written = ""

    def follow(self, services: Iterable[ServiceConfig]) -> None:
        """Brings about what is configured now. Raises OSError."""
        allowed = {service.name: [_shown(entry) for entry in service.egress] for service in services if service.egress}
        text = json.dumps({"services": allowed}, indent=1)
        if text == self._written or not (allowed or self.process):
            return
        self._layout.egress.mkdir(mode=0o700, exist_ok=True)
        draft = self._file.with_suffix(".part")
        draft.write_text(text)
        draft.replace(self._file)
        self._written = text
        if self.process is None:
            self.process = Supervised(self._command(), self._layout.logs / "egress.log", self._state)
            self._tasks.create_task(self.process.run())

    @property
    def _file(self) -> Path:
        return self._layout.run / "egress.json"

    @property
    def _state(self) -> Path:
        """Beside those of the services, under a name that none of them can have."""
        return self._layout.run / "egress.proxy.json"

    def _command(self) -> Command:
        words = ("-m", "cli.egress", "--config", self._file, "--sockets", self._layout.egress)
        return Command("egress", [sys.executable, *words], dict(os.environ), self._layout.root)


def _shown(entry: Egress) -> dict[str, object]:
    return {
        "scheme": entry.scheme,
        "host": entry.host,
        "port": entry.port,
        "below": entry.below,
        "private": entry.private,
    }
