"""The egress proxy: a process beside the gateway, which is there once a service may reach anything, and what each may reach."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cli.egress_lists import egress_lists
from cli.local.layout import Layout
from cli.local.process import Command, Supervised
from gateway.config import ServiceConfig


class EgressProxy:
    """Writes down what is allowed whenever it changes; the proxy follows the file."""

    def __init__(self, layout: Layout, tasks: asyncio.TaskGroup) -> None:
        self.process: Supervised | None = None
        self._layout = layout
        self._tasks = tasks
        self._written = ""

    def follow(self, services: Iterable[ServiceConfig]) -> None:
        """Brings about what is configured now. Raises OSError."""
        reaching = [service for service in services if service.egress]
        text = egress_lists(reaching)
        if text == self._written or not (reaching or self.process):
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
