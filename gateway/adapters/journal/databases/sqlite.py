"""The journal in one SQLite file, for one gateway on one machine. The command may read and erase while the gateway writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gateway.adapters.journal.databases import queries
from gateway.adapters.journal.databases.schema import SQLITE, Step
from gateway.adapters.journal.databases.sqlite_file import SqliteFile
from gateway.adapters.journal.rows import Head, Row
from gateway.adapters.journal.store import Batch, Span, StoreError, Where

_ROWS = 200
"""Rows in one statement: each statement lets go of the interpreter, and a busy event loop is slow to give it back."""

_PAGE = 1000
"""Rows read, or pages of the file moved, at a time."""

_COLUMNS = "writer, seq, header, hash, principal, origin, person, content"


class SqliteStore:
    """Store in the file `path`. See `Store` for what each method does."""

    def __init__(self, path: Path, *, durable: bool, steps: Sequence[Step] = SQLITE) -> None:
        """Opens the file, made where it is missing. `durable`: a commit waits for the disk. Raises StoreError."""
        self._file = SqliteFile(path, steps, durable=durable)

    def append(self, batch: Batch) -> None:
        if batch.rows:
            self._write(batch, lambda _: 0)

    def heads(self) -> dict[str, Head]:
        return queries.heads(self._file.read(queries.HEADS))

    def unjoined(self) -> dict[str, Head]:
        return queries.heads(self._file.read(queries.UNJOINED))

    def salt(self) -> bytes:
        return bytes(self._file.read("SELECT salt FROM meta")[0][0])

    def bounds(self) -> tuple[int, int]:
        first, last = self._file.read("SELECT (SELECT min(id) FROM rows), (SELECT max(id) FROM rows)")[0]
        return (0, -1) if first is None else (first, last)

    def scan(self, first: int, last: int) -> Iterator[tuple[int, str, int, bytes, bytes, str | None, str | None, bytes | None, bytes | None]]:  # fmt: skip  # noqa: E501
        # As bytes, so that a header which somebody made unreadable is a row like any other. Each page is a transaction of its
        # own: a long scan must not keep the write-ahead log from being emptied.
        columns = _COLUMNS.replace("header", "CAST(header AS BLOB)")
        text = f"SELECT id, {columns} FROM rows WHERE id BETWEEN ? AND ? ORDER BY id LIMIT {_PAGE}"  # noqa: S608
        while page := self._file.read(text, (first, last)):
            yield from page
            first = page[-1][0] + 1

    def select(self, where: Where, *, newest_first: bool = False, limit: int | None = None) -> Iterator[Row]:
        condition, values = queries.matching(where)
        order = "DESC" if newest_first else "ASC"
        with self._file.errors() as connection:
            cursor = connection.execute(
                f"SELECT {_COLUMNS} FROM rows WHERE {condition} ORDER BY id {order} LIMIT ?",  # noqa: S608
                (*values, -1 if limit is None else limit),
            )
        try:
            while page := self._fetch(cursor):
                yield from map(Row._make, page)
        finally:
            cursor.close()

    def since(self, heads: Mapping[str, int], limit: int) -> list[Row]:
        text = f"SELECT id, {_COLUMNS} FROM rows WHERE writer = ? AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
        found: list[Any] = []
        for writer, head in self.heads().items():
            if head.seq > heads.get(writer, 0):
                found += self._file.read(text, (writer, heads.get(writer, 0), limit))
        return [Row._make(row[1:]) for row in sorted(found)[:limit]]

    def row(self, writer: str, seq: int) -> Row | None:
        found = self._file.read(f"SELECT {_COLUMNS} FROM rows WHERE writer = ? AND seq = ?", (writer, seq))  # noqa: S608
        return Row._make(found[0]) if found else None

    def blob(self, sha256: bytes) -> bytes | None:
        found = self._file.read("SELECT body FROM blobs WHERE sha256 = ?", (sha256,))
        return found[0][0] if found else None

    def last_before(self, writer: str, at: int) -> int:
        newest = self._file.read("SELECT max(seq) FROM rows WHERE writer = ?", (writer,))[0][0] or 0
        return queries.last_before(
            at, newest, lambda seq: next(iter(self._file.read(queries.NEXT_ROW, (writer, seq))), None)
        )

    def of_person(self, principal: str, limit: int) -> list[Span]:
        return queries.spans(self._file.read(queries.OF_PERSON, (principal, principal, limit)))

    def clear(self, spans: Iterable[Span], *, person: bool, content: bool, record: Batch) -> int:
        columns = queries.parts(person=person, content=content)
        text = (
            f"UPDATE rows SET {', '.join(f'{column} = NULL' for column in columns)}"  # noqa: S608
            " WHERE writer = ? AND seq BETWEEN ? AND ?"
            f" AND ({' OR '.join(f'{column} IS NOT NULL' for column in columns)})"
        )

        def erase(connection: sqlite3.Connection) -> int:
            erased = 0
            for span in spans:
                erased += connection.execute(text, span).rowcount
                if content:
                    _release(connection, span)
            return erased

        return self._write(record, erase)

    def drop(self, spans: Iterable[Span], record: Batch) -> int:
        def delete(connection: sqlite3.Connection) -> int:
            deleted = 0
            for span in spans:
                deleted += connection.execute(queries.DROP, span).rowcount
                _release(connection, span)
                for text in queries.FORGET:
                    connection.execute(text, (span.writer, span.writer))
            return deleted

        return self._write(record, delete)

    def size(self) -> int:
        pages, free, width = (
            self._file.read(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * width)

    def tidy(self) -> None:
        # Erased bytes are overwritten as they go; what still has them is the write-ahead log. Free pages are given back in
        # steps, so that others can write in between.
        while self._file.read("PRAGMA freelist_count")[0][0]:
            self._file.read(f"PRAGMA incremental_vacuum({_PAGE})")
        if self._file.read("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:
            raise StoreError("another process reads the journal, what was erased is still in its write-ahead log")

    def close(self) -> None:
        self._file.close()

    def _write(self, batch: Batch, action: Callable[[sqlite3.Connection], int]) -> int:
        """Appends `batch` and does `action`, in one transaction; nothing when `batch` is there already."""
        try:
            with self._file.transaction() as connection:
                # First of all: rows that are dropped may be the last, whose position must not be given out again.
                _append(connection, batch)
                return action(connection)
        except sqlite3.IntegrityError as error:
            queries.must_be_there(batch, self._file.read(queries.HASHES, queries.span_of(batch)), str(error))
            return 0

    def _fetch(self, cursor: sqlite3.Cursor) -> list[Any]:
        with self._file.errors():
            return cursor.fetchmany(_PAGE)


@cache
def _insert(count: int) -> str:
    return f"INSERT INTO rows({_COLUMNS}) VALUES {','.join(['(?,?,?,?,?,?,?,?)'] * count)}"  # noqa: S608


def _append(connection: sqlite3.Connection, batch: Batch) -> None:
    for start in range(0, len(batch.rows), _ROWS):
        rows = batch.rows[start : start + _ROWS]
        connection.execute(_insert(len(rows)), [value for row in rows for value in row])
    for blob in batch.blobs:
        connection.execute("INSERT INTO blobs VALUES(?, ?) ON CONFLICT DO NOTHING", (blob.sha256, blob.body))
        connection.execute(
            "INSERT INTO refs VALUES(?, ?, ?) ON CONFLICT DO NOTHING", (blob.writer, blob.seq, blob.sha256)
        )
    last = batch.rows[-1]
    connection.execute(
        "INSERT INTO writers VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
        (last.writer, last.seq, last.hash),
    )
    connection.executemany(
        "INSERT INTO joined VALUES(?, ?) ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)", batch.joins.items()
    )


def _release(connection: sqlite3.Connection, span: Span) -> None:
    """These rows need their blobs no more; those that nobody needs go."""
    names = connection.execute(
        "SELECT DISTINCT sha256 FROM refs WHERE writer = ? AND seq BETWEEN ? AND ?", span
    ).fetchall()
    if names:
        connection.execute("DELETE FROM refs WHERE writer = ? AND seq BETWEEN ? AND ?", span)
        connection.executemany(
            "DELETE FROM blobs WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM refs WHERE sha256 = ?1)", names
        )
