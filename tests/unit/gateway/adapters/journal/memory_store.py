"""A Store in memory, for tests of what stands on one: plain enough to see that it is right, and open to be tampered with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gateway.adapters.journal.rows import CALL, OPENED, Head, Row, read_header
from gateway.adapters.journal.store import Batch, Span, Store, StoreError, Where

Stored = tuple[int, str, int, bytes, bytes, str | None, str | None, bytes | None, bytes | None]


class MemoryStore:
    """`rows` by position, in the order of positions. `bodies` are the blobs, `refs` which rows refer to them.

    `fail` is raised by the next method that writes, before it does anything; `fail_after` after it has done everything.
    """

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.bodies: dict[bytes, bytes] = {}
        self.refs: set[tuple[str, int, bytes]] = set()
        self.writers: dict[str, Head] = {}
        self.joined: dict[str, int] = {}
        self.fail: StoreError | None = None
        self.fail_after: StoreError | None = None
        self.tidied = 0
        self._position = 0

    def append(self, batch: Batch) -> None:
        self._begin()
        self._append(batch)
        self._end()

    def heads(self) -> dict[str, Head]:
        return dict(self.writers)

    def unjoined(self) -> dict[str, Head]:
        return {writer: head for writer, head in self.writers.items() if self.joined.get(writer, 0) < head.seq}

    def salt(self) -> bytes:
        return b"s" * 32

    def bounds(self) -> tuple[int, int]:
        return (min(self.rows), max(self.rows)) if self.rows else (0, -1)

    def scan(self, first: int, last: int) -> Iterator[Stored]:
        for position in sorted(self.rows):
            row = self.rows.get(position)
            if row is not None and first <= position <= last:
                yield (position, row.writer, row.seq, row.header.encode(), *row[3:])

    def select(self, where: Where, *, newest_first: bool = False, limit: int | None = None) -> Iterator[Row]:
        found = [row for _, row in sorted(self.rows.items(), reverse=newest_first) if _matches(where, row)]
        return iter(found[:limit])

    def since(self, heads: Mapping[str, int], limit: int) -> list[Row]:
        return [row for _, row in sorted(self.rows.items()) if row.seq > heads.get(row.writer, 0)][:limit]

    def row(self, writer: str, seq: int) -> Row | None:
        return next((row for row in self.rows.values() if (row.writer, row.seq) == (writer, seq)), None)

    def blob(self, sha256: bytes) -> bytes | None:
        return self.bodies.get(sha256)

    def last_before(self, writer: str, at: int) -> int:
        rows = (row for row in self.rows.values() if row.writer == writer)
        return max((row.seq for row in rows if read_header(row.header).at < at), default=0)

    def of_person(self, principal: str, limit: int) -> list[Span]:
        found = [
            Span(row.writer, row.seq, row.seq) for row in self.rows.values() if principal in (row.principal, row.origin)
        ]
        return sorted(found)[:limit]

    def clear(self, spans: Iterable[Span], *, person: bool, content: bool, record: Batch) -> int:
        self._begin()
        if self._written(record):
            return 0
        erased = 0
        for position in self._positions(spans):
            row = before = self.rows[position]
            if person:
                row = row._replace(principal=None, origin=None, person=None)
            if content:
                row = row._replace(content=None)
                self._release(row)
            self.rows[position] = row
            erased += row != before
        self._append(record)
        self._end()
        return erased

    def drop(self, spans: Iterable[Span], record: Batch) -> int:
        self._begin()
        if self._written(record):
            return 0
        gone = self._positions(spans)
        for position in gone:
            self._release(self.rows.pop(position))
        remaining = {row.writer for row in self.rows.values()}
        for table in (self.writers, self.joined):
            for writer in set(table) - remaining:
                del table[writer]
        self._append(record)
        self._end()
        return len(gone)

    def size(self) -> int:
        rows = sum(len(row.header) + len(row.person or b"") + len(row.content or b"") for row in self.rows.values())
        return rows + sum(map(len, self.bodies.values()))

    def tidy(self) -> None:
        self.tidied += 1

    def close(self) -> None:
        pass

    def _begin(self) -> None:
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error

    def _end(self) -> None:
        if self.fail_after is not None:
            error, self.fail_after = self.fail_after, None
            raise error

    def _written(self, batch: Batch) -> bool:
        there = [self.row(row.writer, row.seq) for row in batch.rows]
        if any(row is not None and row.hash != new.hash for row, new in zip(there, batch.rows, strict=True)):
            raise StoreError("another row has this number", passing=False)
        return None not in there

    def _append(self, batch: Batch) -> None:
        if self._written(batch):
            return
        for row in batch.rows:
            self._position += 1
            self.rows[self._position] = row
            self.writers[row.writer] = Head(row.seq, row.hash)
        for blob in batch.blobs:
            self.bodies[blob.sha256] = blob.body
            self.refs.add((blob.writer, blob.seq, blob.sha256))
        for writer, seq in batch.joins.items():
            self.joined[writer] = max(seq, self.joined.get(writer, 0))

    def _positions(self, spans: Iterable[Span]) -> list[int]:
        wanted = list(spans)
        return [
            position
            for position, row in self.rows.items()
            if any(writer == row.writer and first <= row.seq <= last for writer, first, last in wanted)
        ]

    def _release(self, row: Row) -> None:
        self.refs = {ref for ref in self.refs if ref[:2] != (row.writer, row.seq)}
        needed = {sha256 for _, _, sha256 in self.refs}
        self.bodies = {name: body for name, body in self.bodies.items() if name in needed}


def _matches(where: Where, row: Row) -> bool:
    header = read_header(row.header)
    return (
        header.kind in (where.kinds or (CALL, OPENED))
        and (not where.principal or where.principal in (row.principal, row.origin))
        and (not where.outcome or where.outcome in (header.outcome, header.reason))
        and where.target in ("", header.target)
        and where.session in ("", header.session)
        and where.call in ("", header.call)
        and where.decision in ("", header.decision)
        and (where.since is None or header.at >= where.since)
        and (where.until is None or header.at < where.until)
    )


def as_store(store: MemoryStore) -> Store:
    """Holds if the type checker finds no difference between the two."""
    return store
