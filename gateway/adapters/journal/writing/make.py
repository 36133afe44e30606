"""Makes the journal that the configuration asks for."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gateway import config
from gateway.adapters.journal.databases.open import open_store
from gateway.adapters.journal.heads import Heads
from gateway.adapters.journal.upkeep.retain import retain
from gateway.adapters.journal.writing.entries import Drafter
from gateway.adapters.journal.writing.intake import Queued
from gateway.adapters.journal.writing.salts import Salts
from gateway.adapters.journal.writing.session import Means
from gateway.adapters.journal.writing.writer import JournalWriter
from gateway.call import Call
from gateway.service import Finish


class NoJournal:
    """Keeps nothing: journal.mode is "none"."""

    required = False

    def start(self) -> None:
        """Nothing to start."""

    def check(self) -> None:
        """Every call may go on."""

    def asked(self, call: Call, message: bytes) -> None:
        """Keeps nothing of it."""

    def answered(self, call: Call, message: bytes) -> None:
        """Keeps nothing of it."""

    async def opened(self, call: Call) -> None:
        """There is no record to wait for."""

    def ended(self, call: Call, outcome: Finish | BaseException) -> Awaitable[None] | None:  # noqa: ARG002 - the port
        return None

    def close(self, timeout: float) -> None:
        """Nothing to close."""

    def report(self) -> dict[str, Any]:
        return {"mode": "none"}

    def missing(self) -> dict[str, str]:
        return {}


def make_journal(
    settings: config.Journal,
    root: Path,
    *,
    version: str,
    loop: asyncio.AbstractEventLoop,
    wall: Callable[[], float],
    random: Callable[[], float],
    committed: Callable[[float], None],
) -> JournalWriter | NoJournal:
    """The journal of `settings`, whose relative paths are relative to `root`. Nothing is opened before it is started.

    `committed` is told, in the journal's thread, how many seconds each transaction took.
    """
    if settings.mode == "none":
        return NoJournal()

    # A server can crash and come back while this process goes on: rows that it forgot would be a hole in the chain. A file
    # and its writer end together, and the chain then merely ends earlier.
    durable = settings.mode == "required" or settings.store == "postgresql"

    def means(resolve: Callable[[list[tuple[Queued, bool]]], None]) -> Means:
        return Means(
            open_store=lambda: open_store(settings, root, durable=durable),
            open_heads=lambda: Heads(root / settings.heads),
            make_drafter=lambda salt: Drafter(settings.inline, salt, Salts(os.urandom)),
            retain=lambda author, store, now: retain(author, store, settings.retention, now),
            facts={"gateway": version, "host": socket.gethostname(), "pid": os.getpid(), "journal": settings.mode},
            wall=wall,
            clock=loop.time,
            random=random,
            committed=committed,
            resolve=resolve,
        )

    return JournalWriter(settings, means, loop, loop.time, wall)
