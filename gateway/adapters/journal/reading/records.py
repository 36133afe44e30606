"""A row of the journal as readers see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from typing import Any

from gateway.adapters.journal.contents.decode import Content, read_content, read_person
from gateway.adapters.journal.rows import CALL, OPENED, Header, Row, read_header
from gateway.adapters.journal.store import Where


class Record:
    """One row with its header read; the person and the content part are read when asked for."""

    def __init__(self, row: Row, blob: Callable[[bytes], bytes | None]) -> None:
        self.row = row
        self.header: Header = read_header(row.header)
        self._blob = blob

    @cached_property
    def person(self) -> Mapping[str, Any]:
        """Who called and what policy saw; empty where nothing is known or it was erased. Raises ValueError."""
        return {} if self.row.person is None else read_person(self.row.person)

    @cached_property
    def content(self) -> Content | None:
        """The request and the answers as far as they are kept; None where there is none or it was erased.

        Raises ValueError, and StoreError for contents that are kept apart.
        """
        return None if self.row.content is None else read_content(self.row.content, self._blob)

    @property
    def person_erased(self) -> bool:
        return self.row.person is None and bool(self.header.person_digest)

    @property
    def content_erased(self) -> bool:
        return self.row.content is None and bool(self.header.content_digest)

    @property
    def ended(self) -> bool:
        return self.header.kind != OPENED

    @property
    def started_at(self) -> int:
        """Microseconds since 1970 when the call came in."""
        return int(self.header.facts.get("started", self.header.at))

    @property
    def took_ms(self) -> float | None:
        """Milliseconds from start to end; None for a call that has not ended."""
        return float(self.header.facts.get("ms", 0.0)) if self.ended else None


def matches(where: Where, record: Record) -> bool:
    """Whether `where` selects `record`, as a store decides it."""
    header, row = record.header, record.row
    return (
        (header.kind in where.kinds if where.kinds else header.kind in (CALL, OPENED))
        and where.principal in ("", row.principal, row.origin)
        and where.target in ("", header.target)
        and where.outcome in ("", header.outcome, header.reason)
        and where.session in ("", header.session)
        and where.call in ("", header.call)
        and where.decision in ("", header.decision)
        and (where.since is None or header.at >= where.since)
        and (where.until is None or header.at < where.until)
    )


def by_start(record: Record) -> tuple[int, str]:
    # Ids begin with the time in milliseconds; what is known more finely comes first.
    return record.started_at, record.header.call


def ended_first(records: Iterable[Record]) -> Record | None:
    found: Record | None = None
    for record in records:
        if record.ended:
            return record
        found = record
    return found


def each_once(records: Iterable[Record]) -> Collection[Record]:
    """Each call's end, or what was noted when it was let through where it has none."""
    calls: dict[str, Record] = {}
    for record in records:
        if record.ended or record.header.call not in calls:
            calls[record.header.call] = record
    return calls.values()
