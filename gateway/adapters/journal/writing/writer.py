"""The journal as the chain knows it: takes references on the event loop and has a thread of its own do everything else."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from typing import Any

from gateway import config
from gateway.adapters.journal.rows import CALL, OPENED
from gateway.adapters.journal.writing.entries import Entry
from gateway.adapters.journal.writing.health import Health
from gateway.adapters.journal.writing.intake import ENTRY, Intake, Losses, Queued
from gateway.adapters.journal.writing.scribe import Scribe
from gateway.adapters.journal.writing.session import Means
from gateway.call import Call, Facts
from gateway.config import Recorded, Recording
from gateway.errors import CallError, Code, Reason
from gateway.outcomes import classify
from gateway.ports import Clock
from gateway.service import Finish
from gateway.time_limit import within

_log = logging.getLogger("firebreak.journal")

_GATHER = 0.2
"""Seconds for which best-effort lets entries come together: waking the thread costs more than a row does."""

_QUIET = 10.0
"""Seconds before the log says again that calls go unrecorded; the journal itself counts each."""

_PLENTY = 500
"""Entries that are worth a transaction at once."""

_DEFAULT = Recorded()


class JournalWriter:
    """ports.Journal on one store. Everything but `close` is for the event loop's thread; `start` comes first."""

    def __init__(
        self,
        settings: config.Journal,
        make_means: Callable[[Callable[[list[tuple[Queued, bool]]], None]], Means],
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        wall: Callable[[], float],
    ) -> None:
        """`make_means` is given what resolves waiting calls. `wall` is seconds since 1970."""
        self.required = settings.mode == "required"
        self.health = Health()
        self.losses = Losses()
        self.intake = Intake(settings.buffer)
        self._settings = settings
        self._loop = loop
        self._clock = clock
        self._wall = wall
        self._wake, self._closing = threading.Event(), threading.Event()
        self._deadline = 0.0
        self._warn_at = 0.0
        self._scribe = Scribe(self.intake, self.losses, self.health, make_means(self._resolve))
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Starts the thread, which opens the store."""
        self._thread.start()

    def check(self) -> None:
        if self.required and (self.health.failing or self.intake.crowded):
            raise _unavailable()

    def asked(self, call: Call, message: bytes) -> None:
        facts = call.facts
        if facts.asks_cut or _recorded(facts).requests is Recording.NONE:
            return
        if self.intake.reserve(len(message)):
            facts.asks.append(message)
        else:
            facts.asks_cut = True
            self.losses.cut += 1

    def answered(self, call: Call, message: bytes) -> None:
        facts = call.facts
        if facts.answers_cut or _recorded(facts).answers is Recording.NONE:
            return
        if self.intake.reserve(len(message)):
            facts.answers.append(message)
        else:
            facts.answers_cut = True
            self.losses.cut += 1

    async def opened(self, call: Call) -> None:
        # The facts go on changing while the thread reads them if nobody waits for it any more.
        facts = replace(call.facts, stages=dict(call.facts.stages), attempts=list(call.facts.attempts))
        _drop_arguments(facts)
        kept = replace(call, facts=facts, view=None)
        entry = Entry(OPENED, kept, None, Code.OK, "", self._wall(), self._clock())
        item = self._put(entry, ENTRY + len(call.request))
        if item is None or not await _Receipt(item, self._settings.timeout).durable():
            raise _unavailable()

    def ended(self, call: Call, outcome: Finish | BaseException) -> Awaitable[None] | None:
        facts, now = call.facts, self._clock()
        code, reason = classify(outcome, call.deadline, now)
        _drop_arguments(facts)
        if isinstance(outcome, CallError) and outcome.reason is Reason.REQUEST_TOO_LARGE:
            call = replace(call, request=b"")  # a few of these at once would take the room of calls that were served
        entry = Entry(CALL, call, _bare(outcome), code, reason, self._wall(), now)
        kept = sum(map(len, facts.answers)) + sum(map(len, facts.asks))
        item = self._put(entry, ENTRY + len(call.request), kept)
        if not self.required:
            return None
        return _Receipt(None if facts.answers_cut or facts.asks_cut else item, self._settings.timeout)

    def close(self, timeout: float) -> None:
        """Writes what is queued, and the chain's last row. Blocks for at most `timeout` seconds; for any thread."""
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if left := self._scribe.left:
            _log.warning("the journal ends without %d records, which could not be written in time", left)

    def report(self) -> dict[str, Any]:
        """For /status; docs/journal.md explains each."""
        health, losses = self.health, self.losses
        return {
            "mode": self._settings.mode,
            "store": self._settings.store,
            "writer": health.writer,
            "seq": health.head.seq,
            "head": health.head.hash.hex(),
            "queued": self._scribe.waiting,
            "queued_bytes": self.intake.bytes,
            "written": health.written,
            "lost": losses.total,
            "cut": losses.cut,
            "failing": health.failing,
            "unnoted": health.unnoted,
        }

    def missing(self) -> dict[str, str]:
        """What keeps the gateway from taking calls, by name."""
        return {"journal": self.health.failing} if self.required and self.health.failing else {}

    def _put(self, entry: Entry, size: int, kept: int = 0) -> Queued | None:
        """Queues `entry` of `size` bytes and `kept` more that are reserved already. None when there is no room."""
        if not self.intake.reserve(size):
            self.intake.forget(kept)
            if (now := self._clock()) >= self._warn_at:
                self._warn_at = now + _QUIET
                _log.warning("the journal's buffer is full: calls go unrecorded")
            self.losses.add(int(entry.wall * 1_000_000), size + kept)
            return None
        item = Queued(entry, size + kept, self._loop.create_future() if self.required else None)
        self.intake.put(item)
        if not self._wake.is_set():
            self._wake.set()
        return item

    def _run(self) -> None:
        while not self._closing.is_set():
            wait = self._scribe.turn()
            if self.health.failing:
                self._closing.wait(wait)
                continue
            if wait:
                self._wake.wait(wait)
                self._wake.clear()
            # After a turn that left something too: what came in while it was written is a few rows.
            if not self.required and len(self.intake) < _PLENTY:
                self._closing.wait(_GATHER)
        while self._scribe.left and (left := self._deadline - time.monotonic()) > 0:
            wait = self._scribe.turn()
            if self.health.failing:
                time.sleep(min(wait, left))
        self._scribe.end()

    def _resolve(self, waited: list[tuple[Queued, bool]]) -> None:
        try:
            self._loop.call_soon_threadsafe(_tell, waited)
        except RuntimeError:
            pass  # the loop is closed, and nobody waits any more


class _Receipt:
    """Awaited: ends when the record is durable, or raises ANSWER_WITHHELD. Not awaited, it costs nothing."""

    __slots__ = ("_item", "_timeout")

    def __init__(self, item: Queued | None, timeout: float) -> None:
        self._item = item
        self._timeout = timeout

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        if not await self.durable():
            raise CallError(
                Reason.ANSWER_WITHHELD,
                "The call was carried out, but its record could not be written, and no answer leaves without one. "
                "Do not repeat it blindly: look whether it took effect. The platform team sees the cause in the status.",
            )

    async def durable(self) -> bool:
        """Whether the entry is on record for good; waits for at most `timeout` seconds."""
        if self._item is None or self._item.waiter is None:
            return False
        try:
            with within(self._timeout):
                return await self._item.waiter
        except TimeoutError:
            return False


def _tell(waited: list[tuple[Queued, bool]]) -> None:
    for item, kept in waited:
        if item.waiter is not None and not item.waiter.done():
            item.waiter.set_result(kept)


def _recorded(facts: Facts) -> Recorded:
    return _DEFAULT if facts.resolved is None else facts.resolved.config.journal


def _drop_arguments(facts: Facts) -> None:
    """The request holds them; parsed they can take twenty times its size, which nobody counts."""
    if facts.document is not None and facts.document.get("args") is not None:
        facts.document = {**facts.document, "args": None}


def _bare(outcome: Finish | BaseException) -> Finish | BaseException:
    """`outcome` without its traceback, whose frames would keep everything of the call in memory, and uncounted."""
    if isinstance(outcome, Finish):
        return outcome
    if isinstance(outcome, CallError):
        return CallError(
            outcome.reason,
            outcome.message,
            metadata=outcome.metadata,
            fields=outcome.fields,
            retry_after=outcome.retry_after,
            quota=outcome.quota,
        )
    return asyncio.CancelledError()


def _unavailable() -> CallError:
    return CallError(
        Reason.JOURNAL_UNAVAILABLE,
        "Calls cannot be put on record now, and this gateway makes none without. Nothing was done. Try again shortly.",
        retry_after=1.0,
    )
