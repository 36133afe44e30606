"""What a step of upkeep reads of the journal: its chains, their first rows, and how far earlier steps have come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.adapters.journal import rows
from gateway.adapters.journal.rows import CLEARED, STOPPED, Row
from gateway.adapters.journal.store import Store, Where

STEP = 2000
"""Rows that one step looks at, at most."""

CLOSED = 2**62
"""A number and an instant behind every row's."""


@dataclass(slots=True)
class Progress:
    """How far a part has been cleared: the last row of each chain, and the instant `until` of the last whole pass."""

    done: dict[str, int] = field(default_factory=dict)
    until: int = 0


class View:
    """The journal at the start of one step. Every method raises StoreError."""

    def __init__(self, store: Store, own: str) -> None:
        """`own` is the writer that does the step."""
        self.store = store
        self.heads = store.heads()
        self._own = own
        self._closed = dict.fromkeys(self.heads, CLOSED)

    def there(self, writer: str, seq: int) -> bool:
        return self.store.row(writer, seq) is not None

    def rows(self, writer: str, behind: int, last: int, limit: int) -> list[Row]:
        """Up to `limit` rows of one chain that are there, behind one number and up to another."""
        if last <= behind or not limit:
            return []
        found = self.store.since({**self._closed, writer: behind}, limit)
        return [row for row in found if row.writer == writer and row.seq <= last]

    def droppable(self, writer: str, until: int) -> int:
        """The last row of a chain that may be dropped of those before `until`, 0 for none."""
        last = self.store.last_before(writer, until)
        head = self.heads[writer]
        if last >= head.seq and not self._stopped(writer):
            last = head.seq - 1
        # Only beginnings are ever dropped: where the last one is gone all are.
        return last if last and self.there(writer, last) else 0

    def _stopped(self, writer: str) -> bool:
        last = self.store.row(writer, self.heads[writer].seq)
        return writer != self._own and last is not None and kind_of(last) == STOPPED

    def progress(self, part: str, now: int) -> Progress:
        """How far `part` has been cleared, of the chains that are there, as the newest rows tell it.

        An instant behind `now` is that of a clock which goes wrong, and does not count.
        """
        progress = Progress(dict.fromkeys(self.heads, 0))
        for limit in (20, STEP):
            told = list(self.store.select(Where(kinds=(CLEARED,)), newest_first=True, limit=limit))
            found = [facts for facts in map(facts_of, told) if "done" in facts and part in facts["parts"]]
            if found or len(told) < limit:
                break
        for facts in found:
            for writer, seq in facts["done"].items():
                progress.done[writer] = max(seq, progress.done.get(writer, 0))
            if facts.get("until", 0) <= now:
                progress.until = max(facts.get("until", 0), progress.until)
        return Progress({writer: progress.done[writer] for writer in self.heads}, progress.until)

    def late(self, progress: Progress) -> bool:
        """Whether rows came after the last whole pass that are older than it was for: their writer's clock is behind."""
        following = (
            self.store.row(writer, seq + 1) for writer, seq in progress.done.items() if seq < self.heads[writer].seq
        )
        return any(row is not None and at_of(row) < progress.until for row in following)

    def instant(self, starts: Mapping[str, int]) -> int:
        """An instant behind the oldest rows after `starts`: half a step's rows of the chain whose next row is the oldest."""
        first = {writer: found[0] for writer, start in starts.items() if (found := self.rows(writer, start, CLOSED, 1))}
        if not first:
            return 0
        oldest = min(first.values(), key=lambda row: (at_of(row), row.writer))
        last = min(oldest.seq + STEP // 2, self.heads[oldest.writer].seq)
        row = self.store.row(oldest.writer, last)
        return at_of(row or oldest) + 1


def at_of(row: Row) -> int:
    return int(_header(row)[rows.AT])


def kind_of(row: Row) -> str:
    return str(_header(row)[rows.KIND])


def facts_of(row: Row) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = _header(row)[rows.FACTS]
    return facts


def _header(row: Row) -> list[Any]:
    values: list[Any] = orjson.loads(row.header)
    return values
