"""Reads the journal back: calls by id, a session as a tree, and what an agent's run was given, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.adapters.journal.reading.records import Record, by_start, each_once, ended_first, matches
from gateway.adapters.journal.reading.runs import Exchange, NotKeptError, Run, exchange_of
from gateway.adapters.journal.reading.trees import Node, Tree, tree_of
from gateway.adapters.journal.rows import CALL, CLEARED, Row
from gateway.adapters.journal.store import Store, Where

__all__ = ["Erasure", "Exchange", "Node", "NotFoundError", "NotKeptError", "Reader", "Record", "Run", "Tree", "matches"]

_PREFIX = re.compile(r"[0-9a-f]{8,31}")
_TIME_DIGITS = 12
"""Hexadecimal digits of a call's id that are its wall time in milliseconds."""

_CLOCK_SLACK = 60.0
"""Seconds that the wall clock may be set by while a call runs, for it still to be found by the start of its id."""

_AT_ONCE = 500

_SHOWN_MATCHES = 5


class NotFoundError(LookupError):
    """The journal has nothing under that id, or more than one; the text says which, for people."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """When (microseconds since 1970) and why a part was erased: "age", "size" or "person"; "" where nothing says."""

    at: int
    why: str


class Reader:
    """Answers questions about the journal in `store`; belongs to one thread. Every method raises StoreError.

    `longest` is the number of seconds that a call may take: it bounds where a call is looked for by the start of its id.
    """

    def __init__(self, store: Store, longest: float = 600.0) -> None:
        self._store = store
        self._longest = longest

    def find(self, where: Where, *, newest_first: bool = False, limit: int | None = None) -> Iterator[Record]:
        """Every record that matches, as it is read: a call that was noted when it was let through is there twice, OPENED and
        CALL."""
        return (self._record(row) for row in self._store.select(where, newest_first=newest_first, limit=limit))

    def latest(self, where: Where, count: int, upto: Mapping[str, int] | None = None) -> list[Record]:
        """The newest `count` records that match, oldest first, each call once. With `upto`, none behind these numbers of
        each writer, and none of another's."""
        found: list[Record] = []
        ended: set[str] = set()
        for record in self.find(where, newest_first=True):
            if upto is not None and record.row.seq > upto.get(record.row.writer, 0):
                continue
            if record.ended:
                ended.add(record.header.call)
            elif record.header.call in ended:
                continue
            found.append(record)
            if len(found) == count:
                break
        # A call's end may lie beyond what was asked for.
        kept = [record for record in found if record.ended or self._end_of(record.header.call) is None]
        return kept[::-1]

    def show(self, name: str) -> Record:
        """The call with this id, or whose decision has it, or whose id alone begins so (from 8 digits on).

        Raises NotFoundError.
        """
        if (exact := self._call(name)) is not None:
            return exact
        if (decided := ended_first(self.find(Where(decision=name)))) is not None:
            return decided
        if any(self.find(Where(session=name), limit=1)):
            raise NotFoundError(f"{name} is a session, not a call: see it with `firebreak journal session {name}`")
        calls = self._beginning_with(name) if _PREFIX.fullmatch(name) else {}
        if len(calls) > 1:
            raise NotFoundError(f"more than one call begins with {name}: {_some(calls)}")
        if not calls:
            raise NotFoundError(f"the journal has no call or decision {name}")
        return next(iter(calls.values()))

    def session(self, name: str) -> Tree:
        """The session with this id, or that of the call which `show` finds by it. Raises NotFoundError."""
        records = list(self.find(Where(session=name)))
        if records:
            return tree_of(name, records)
        found = self.show(name).header
        if not found.session:
            raise NotFoundError(f"call {found.call} belongs to no session: it was refused before it had one")
        return tree_of(found.session, self.find(Where(session=found.session)))

    def last_session(self) -> Tree:
        """The session of the newest call of a target: questions to the gateway itself are passed over.

        Raises NotFoundError.
        """
        for record in self.find(Where(), newest_first=True):
            if record.header.session and record.header.target:
                return self.session(record.header.session)
        raise NotFoundError("the journal has no session yet")

    def run(self, call_id: str) -> Run:
        """What the run of call `call_id` was given. Raises NotFoundError, and NotKeptError where bytes are missing."""
        own = self._call(call_id)
        if own is None:
            raise NotFoundError(f"the journal has no call {call_id}")
        session, start = own.header.session, own.started_at
        calls = self.find(Where(session=session)) if session else iter(())
        made = sorted(each_once(r for r in calls if r.header.parent == call_id), key=by_start)
        return Run(session, self._exchange(own, start), tuple(self._exchange(child, start) for child in made))

    def erasure(self, record: Record, part: str) -> Erasure | None:
        """The row that says why `part` ("person" or "content") of `record` is gone; None where there is no such row."""
        for told in self.find(Where(kinds=(CLEARED,), since=record.header.at)):
            facts = told.header.facts
            if part in facts.get("parts", ()) and _covers(facts.get("spans", ()), record.row):
                return Erasure(told.header.at, str(facts.get("why", "")))
        return None

    def ends(self) -> dict[str, int]:
        """The number of every writer's last row."""
        return {writer: head.seq for writer, head in self._store.heads().items()}

    def after(self, ends: dict[str, int], limit: int = _AT_ONCE) -> list[Record]:
        """Up to `limit` rows of any kind behind `ends`, which move on."""
        rows = self._store.since(ends, limit)
        for row in rows:
            ends[row.writer] = max(row.seq, ends.get(row.writer, 0))
        return [self._record(row) for row in rows]

    def _record(self, row: Row) -> Record:
        return Record(row, self._store.blob)

    def _call(self, call_id: str) -> Record | None:
        return ended_first(self.find(Where(call=call_id)))

    def _end_of(self, call_id: str) -> Record | None:
        return next(self.find(Where(call=call_id, kinds=(CALL,)), limit=1), None)

    def _beginning_with(self, prefix: str) -> dict[str, Record]:
        """Calls by id, a few at most. An id begins with the time of its call's start; its row is from its end."""
        known = prefix[:_TIME_DIGITS]
        first, last = int(known.ljust(_TIME_DIGITS, "0"), 16), int(known.ljust(_TIME_DIGITS, "f"), 16)
        since = first * 1000 - int(_CLOCK_SLACK * 1_000_000)
        until = (last + 1) * 1000 + int((self._longest + _CLOCK_SLACK) * 1_000_000)
        found: dict[str, Record] = {}
        for record in self.find(Where(since=since, until=until)):
            if record.header.call.startswith(prefix) and (record.ended or record.header.call not in found):
                found[record.header.call] = record
                if len(found) > _SHOWN_MATCHES:
                    break
        return found

    def _exchange(self, record: Record, zero: int) -> Exchange:
        return exchange_of(record, zero, self._why_erased)

    def _why_erased(self, record: Record) -> str:
        told = self.erasure(record, "content")
        return told.why if told else ""


def _covers(spans: Iterable[Iterable[Any]], row: Row) -> bool:
    return any(writer == row.writer and first <= row.seq <= last for writer, first, last in spans)


def _some(calls: Mapping[str, Record]) -> str:
    names = sorted(calls)[:_SHOWN_MATCHES]
    return ", ".join(names) + (", …" if len(calls) > len(names) else "")
