"""The work of the journal's thread: opens the store, writes what comes, and takes up again whatever fails, for ever.

It is made of turns, each of which takes what is queued into one transaction. Nothing here waits; the thread does, for as long
as a turn says.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.adapters.journal.author import Author, Drafted
from gateway.adapters.journal.rows import LOST, Draft
from gateway.adapters.journal.store import StoreError
from gateway.adapters.journal.writing.entries import Drafter
from gateway.adapters.journal.writing.health import Health
from gateway.adapters.journal.writing.intake import Intake, Loss, Losses, Queued
from gateway.adapters.journal.writing.session import Means, Session, begin

_log = logging.getLogger("firebreak.journal")

_ROWS, _BYTES = 500, 4 * 1024**2
"""The most that one transaction takes."""

_SOON, _LATE = 0.1, 5.0
"""Seconds before the first and between later attempts at what failed."""

_TURN = 16
"""Drafts after which the event loop gets its turn: less than half a millisecond of them."""

_CHORES = 60.0
"""Seconds between two looks at other writers' chains and at what is old enough to go."""

_WITNESS = 300.0
"""Seconds between two lines in the log that name the chain's head, for whoever keeps the log elsewhere."""


@dataclass(slots=True)
class _Batch:
    """What is being written: `kept` says of each item whether its own row is among what is written, or one that tells of its
    loss.
    """

    items: list[Queued]
    kept: list[bool]
    loss: Loss | None


class Scribe:
    """Belongs to one thread from its first turn on."""

    def __init__(self, intake: Intake, losses: Losses, health: Health, means: Means) -> None:
        self._intake = intake
        self._losses = losses
        self._health = health
        self._means = means
        self._session: Session | None = None
        self._batch: _Batch | None = None
        self._failures = 0
        self._singly = 0
        self._suspect: Queued | None = None
        self._chores_due = self._witness_due = 0.0

    def turn(self) -> float:
        """Writes what is queued; returns in how many seconds the next turn is due: 0 when there is more."""
        return self._attempt(self._turn)

    def end(self) -> None:
        """Writes the chain's last row and closes the store. Raises nothing."""
        if self._session is None:
            return
        if not self._health.failing:
            self._attempt(self._stop)
        self._close()

    @property
    def waiting(self) -> int:
        """Entries that are not written yet, those of a transaction that is tried again among them. For any thread."""
        batch = self._batch
        return len(self._intake) + (len(batch.items) if batch is not None else 0)

    @property
    def left(self) -> int:
        """Entries, and counts of lost ones, that are not written yet."""
        return self.waiting + self._losses.untold

    def _attempt(self, work: Callable[[Session], float]) -> float:
        try:
            self._session = self._session or self._begin()
            wait = work(self._session)
        except StoreError as error:
            return self._failed(str(error), again=error.passing)
        except Exception as error:
            _log.exception("the journal's writer failed by a bug")
            return self._failed(f"a bug, {type(error).__name__}: the log has its traceback", again=False)
        if self._health.failing:
            _log.info("the journal is written", extra={"writer": self._health.writer})
        self._health.failing, self._failures = "", 0
        return wait

    def _turn(self, session: Session) -> float:
        more = self._write(session)
        due = self._chores(session)
        return 0.0 if more else due

    def _begin(self) -> Session:
        session = begin(self._means)
        now = self._means.clock()
        self._chores_due, self._witness_due = now + _CHORES, now + _WITNESS
        self._health.writer = session.author.writer
        self._note(session.author)
        return session

    def _write(self, session: Session) -> bool:
        """One transaction; whether more is queued."""
        author = session.author
        author.flush()
        self._settle(author)  # an earlier turn's batch is written only now
        drafted = self._next(session.drafter)
        if drafted:
            began = self._means.clock()
            author.add(drafted)
            self._means.committed(self._means.clock() - began)
        self._settle(author)
        return bool(len(self._intake))

    def _next(self, drafter: Drafter) -> list[Drafted]:
        items = self._intake.take(1 if self._singly else _ROWS, _BYTES)
        batch = self._batch = _Batch(items, [], self._losses.take())
        drafted: list[Drafted] = []
        if batch.loss is not None:
            drafted.append((self._told(batch.loss), ()))
        for number, item in enumerate(items):
            if number % _TURN == 0:
                time.sleep(0)  # gives the interpreter to the event loop, which would else wait for the whole batch
            made = self._drafted(item, drafter)
            batch.kept.append(made is not None)
            drafted.append(made or (self._lost(item), ()))
        return drafted

    def _drafted(self, item: Queued, drafter: Drafter) -> Drafted | None:
        """None for an entry that cannot be recorded; it must not keep all others from it."""
        if item is self._suspect:
            return None
        try:
            return drafter.draft(item.entry)
        except Exception:
            _log.exception("a call could not be put on record", extra={"call_id": item.entry.call.id})
            return None

    def _told(self, loss: Loss) -> Draft:
        why = "the journal's buffer was full"
        facts = {"count": loss.count, "since": loss.since, "until": loss.until, "bytes": loss.bytes, "why": why}
        return Draft(at=self._now(), kind=LOST, facts=facts)

    def _lost(self, item: Queued) -> Draft:
        at = int(item.entry.wall * 1_000_000)
        facts = {"count": 1, "since": at, "until": at, "bytes": item.size, "why": "its record could not be made"}
        return Draft(at=self._now(), kind=LOST, call=item.entry.call.id, facts=facts)

    def _settle(self, author: Author) -> None:
        """What was being written is written."""
        batch, self._batch = self._batch, None
        self._note(author)
        if batch is None:
            return
        self._health.written += len(batch.items)
        self._intake.release(sum(item.size for item in batch.items))
        self._singly = max(0, self._singly - len(batch.items))
        self._suspect = None
        self._losses.count(batch.kept.count(False))
        waited = [(item, kept) for item, kept in zip(batch.items, batch.kept, strict=True) if item.waiter is not None]
        if waited:
            self._means.resolve(waited)

    def _chores(self, session: Session) -> float:
        """What is due beside writing; seconds until something is due again."""
        now, author = self._means.clock(), session.author
        if now >= self._chores_due:
            author.join()
            more = self._retain(session)
            self._chores_due = now if more else now + _CHORES
        if now >= self._witness_due:
            self._witness(author)
            self._witness_due = now + _WITNESS
        self._note(author)
        return max(0.0, min(self._chores_due, self._witness_due) - now)

    def _retain(self, session: Session) -> bool:
        try:
            return self._means.retain(session.author, session.store, self._now())
        except StoreError as error:
            if error.passing or session.author.pending:
                raise
            # Calls go on record all the same: what somebody did to an old row must not stop new ones.
            _log.error("the journal's retention does not work: %s", error)
            return False

    def _stop(self, session: Session) -> float:
        session.author.stop()
        self._note(session.author)
        self._witness(session.author)
        return 0.0

    def _witness(self, author: Author) -> None:
        head = author.head
        _log.info("journal head", extra={"writer": author.writer, "seq": head.seq, "hash": head.hash.hex()})

    def _note(self, author: Author) -> None:
        self._health.head = author.head
        if author.unnoted and author.unnoted != self._health.unnoted:
            _log.warning("journal: %s", author.unnoted)
        self._health.unnoted = author.unnoted

    def _failed(self, why: str, *, again: bool) -> float:
        """Seconds until the next attempt: at the same transaction, or with a chain of its own if that would not help."""
        if why != self._health.failing:
            _log.error("the journal cannot be written: %s", why)
        self._health.failing = why
        if not again:
            self._abandon()
        ceiling: float = min(_LATE, _SOON * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return ceiling * (0.5 + self._means.random() / 2)

    def _abandon(self) -> None:
        """What was being written comes back, entry by entry: one of them may be what the store does not take."""
        batch, self._batch = self._batch, None
        if batch is not None:
            if len(batch.items) == 1:
                self._suspect = batch.items[0]
            self._singly = max(self._singly, len(batch.items))
            self._intake.give_back(batch.items)
            if batch.loss is not None:
                self._losses.give_back(batch.loss)
        self._close()

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except StoreError as error:
                _log.warning("the journal could not be closed: %s", error)

    def _now(self) -> int:
        return int(self._means.wall() * 1_000_000)
