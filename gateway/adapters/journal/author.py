"""One writer of the journal: turns drafts into rows of its own chain, and has them written."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from gateway.adapters.journal.heads import Heads
from gateway.adapters.journal.rows import CLEARED, CLOCK, JOINED, PRUNED, STARTED, STOPPED, Chain, Draft, Head, Row
from gateway.adapters.journal.store import Batch, Blob, Span, Store

_log = logging.getLogger("firebreak.journal")

_R = TypeVar("_R")

_NO_HEADS: Mapping[str, Head] = {}

Drafted = tuple[Draft, Sequence[tuple[bytes, bytes]]]
"""A draft and its large contents, each with the SHA-256 that it is kept under."""

_BACK = 1_000_000
"""Microseconds by which the wall clock must fall behind a chain's times before a row says so."""


def new_writer() -> str:
    """A writer's name: unique without asking anybody."""
    return secrets.token_hex(8)


class Author:
    """Writes one chain through `store`. Blocks; belongs to one thread. Every method raises StoreError.

    After an error nothing is lost and nothing is written twice: what was sealed waits, and `flush` tries exactly that again.
    Whether the failed transaction had taken effect after all does not matter. `unnoted` says why the last head could not be
    noted, "" when it was: the rows are safe, but a chain that is cut short would go unnoticed.
    """

    def __init__(self, store: Store, writer: str, wall: Callable[[], float], heads: Heads | None = None) -> None:
        """`wall` is seconds since 1970. `heads` is None only where nobody could read it."""
        self._store = store
        self._wall = wall
        self._heads = heads
        self._chain = Chain(writer)
        self._at = 0
        self._behind = False
        self._pending: Callable[[], object] | None = None
        self._joined: dict[str, Head] = {}
        self.unnoted = ""

    @property
    def writer(self) -> str:
        return self._chain.writer

    @property
    def head(self) -> Head:
        """Of what is sealed; it is written when nothing is pending."""
        return self._chain.head

    @property
    def pending(self) -> bool:
        return self._pending is not None

    def start(self, facts: Mapping[str, Any]) -> None:
        """Writes the first row, which joins every chain that no other has joined. `facts` say who writes."""
        self.flush()
        found = self._store.unjoined()
        self._join(STARTED, {**facts, "heads": _named(found)}, found)

    def join(self) -> bool:
        """Joins the chains that have grown since; whether there were any."""
        self.flush()
        grown = {w: h for w, h in self._store.unjoined().items() if w != self.writer and self._joined.get(w) != h}
        if grown:
            self._join(JOINED, {"heads": _named(grown)}, grown)
        return bool(grown)

    def add(self, drafted: Sequence[Drafted]) -> None:
        """Seals and writes. After an error from `flush` before it, nothing of `drafted` is sealed; call `flush` first."""
        self.flush()
        rows, blobs = [], []
        for draft, contents in drafted:
            rows += [self._seal(each) for each in self._in_time(draft)]
            blobs += [Blob(sha256, body, self.writer, rows[-1].seq) for sha256, body in contents]
        self._attempt(lambda: self._store.append(Batch(rows, blobs)))

    def tell(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Writes a row about the journal itself."""
        self.add([(self.draft(kind, facts), ())])

    def clear(self, spans: Sequence[Span], *, person: bool, content: bool, facts: Mapping[str, Any]) -> int:
        """Erases parts of rows, with the row that says so, in one transaction. Returns how many rows lost something."""
        self.flush()
        parts = [name for name, wanted in (("person", person), ("content", content)) if wanted]
        row = self._seal(self.draft(CLEARED, {**facts, "parts": parts, "spans": _spans(spans)}))
        return self._attempt(lambda: self._store.clear(spans, person=person, content=content, record=Batch([row])))

    def drop(self, spans: Sequence[Span], ends: Mapping[str, Head], facts: Mapping[str, Any]) -> int:
        """Deletes rows, with the row that says so: `ends` are the last dropped row of each writer, with its hash."""
        self.flush()
        row = self._seal(self.draft(PRUNED, {**facts, "ends": _named(ends)}))
        return self._attempt(lambda: self._store.drop(spans, Batch([row])))

    def stop(self) -> None:
        """Writes the last row."""
        self.tell(STOPPED, {})

    def flush(self) -> None:
        """Writes what an earlier error left."""
        if self._pending is not None:
            self._attempt(self._pending)

    def draft(self, kind: str, facts: Mapping[str, Any]) -> Draft:
        """A draft of now."""
        return Draft(at=int(self._wall() * 1_000_000), kind=kind, facts=facts)

    def _join(self, kind: str, facts: Mapping[str, Any], heads: Mapping[str, Head]) -> None:
        row = self._seal(self.draft(kind, facts))
        joins = {writer: head.seq for writer, head in heads.items()}
        self._attempt(lambda: self._store.append(Batch([row], joins=joins)))
        self._joined.update(heads)
        if self._heads is not None and not self.unnoted:
            self._note(self._heads, forget=heads)

    def _attempt(self, action: Callable[[], _R]) -> _R:
        self._pending = action
        result = action()
        self._pending = None
        if self._heads is not None:
            self._note(self._heads)
        return result

    def _note(self, notes: Heads, forget: Mapping[str, Head] = _NO_HEADS) -> None:
        try:
            notes.note(self.writer, self._chain.head)
            for writer, head in forget.items():
                self._forget(notes, writer, head)
            self.unnoted = ""
        except OSError as error:
            self.unnoted = f"the end of the chain could not be noted: {error.strerror}"

    def _forget(self, notes: Heads, writer: str, head: Head) -> None:
        try:
            noted = notes.forget(writer, head)
            if noted is None:
                return
            # A writer that lives has gone on meanwhile; one whose chain was cut short has not.
            row = self._store.row(writer, noted.seq)
            if row is not None and row.hash == noted.hash:
                return
        except ValueError:
            pass
        _log.error("the chain %s does not end where its note says: run `firebreak journal verify`", writer)

    def _in_time(self, draft: Draft) -> Iterable[Draft]:
        """`draft`, behind the row that tells of a clock that went back."""
        behind = self._at - draft.at > _BACK
        if behind and not self._behind:
            yield Draft(at=self._at, kind=CLOCK, facts={"wall": draft.at, "at": self._at})
        self._behind = behind
        yield draft

    def _seal(self, draft: Draft) -> Row:
        self._at = draft.at = max(self._at, draft.at)
        return self._chain.seal(draft)


def _named(heads: Mapping[str, Head]) -> dict[str, list[Any]]:
    return {writer: [head.seq, head.hash.hex()] for writer, head in heads.items()}


def _spans(spans: Iterable[Span]) -> list[list[Any]]:
    return [[span.writer, span.first, span.last] for span in spans]
