"""The journal in a PostgreSQL database, in its schema `firebreak`: for several gateways on several machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from psycopg.errors import UniqueViolation

from gateway.adapters.journal.databases import queries
from gateway.adapters.journal.databases.postgresql_connection import CONFLICTS, Connection, PostgresqlConnection, sql
from gateway.adapters.journal.databases.schema import POSTGRESQL, Step
from gateway.adapters.journal.rows import Head, Row
from gateway.adapters.journal.store import Batch, Span, StoreError, Where

_PAGE = 1000
"""Rows read at a time."""

_TRIES = 5
"""How often a transaction is tried that got into another's way."""

_APPEND = 0x4A4F5552
"""Key of the lock that everyone shares who appends, and that `bounds` has for itself for a moment."""

_UPKEEP = 0x4A4F554B
"""Key of the lock of whoever erases or drops rows: two who did so at once would each wait for rows of the other."""

_ROW = 600
"""Bytes that a row takes beside its header and its parts: columns made from the header, and its places in the indexes."""

_COLUMNS = "writer, seq, header, hash, principal, origin, person, content"
_TYPES = ("text", "int8", "text", "bytea", "text", "text", "bytea", "bytea")
"""How they are sent. The header's JSON goes as the text that it is."""
_READ = _COLUMNS.replace("header", "header::text")
_PARTS = "coalesce(octet_length(person), 0) + coalesce(octet_length(content), 0)"


class PostgresqlStore:
    """Store in the database of the connection string `dsn`. See `Store` for what each method does."""

    def __init__(self, dsn: str, *, durable: bool, steps: Sequence[Step] = POSTGRESQL) -> None:
        """Connects. `durable`: a commit waits for the server's disk. Raises StoreError, which never holds `dsn`."""
        self._database = PostgresqlConnection(dsn, steps, durable=durable)

    def append(self, batch: Batch) -> None:
        if batch.rows:
            self._write(batch, lambda _: 0)

    def heads(self) -> dict[str, Head]:
        return queries.heads(self._database.read(queries.HEADS))

    def unjoined(self) -> dict[str, Head]:
        return queries.heads(self._database.read(queries.UNJOINED))

    def salt(self) -> bytes:
        return bytes(self._database.read("SELECT salt FROM meta")[0][0])

    def bounds(self) -> tuple[int, int]:
        # Positions are given out before a commit. Without the lock, a row behind these bounds' end could be seen before one
        # that is in front of it.
        with self._database.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_APPEND,))
            found = connection.execute("SELECT min(id), max(id) FROM rows").fetchone()
        return (0, -1) if found is None or found[0] is None else (found[0], found[1])

    def scan(self, first: int, last: int) -> Iterator[tuple[int, str, int, bytes, bytes, str | None, str | None, bytes | None, bytes | None]]:  # fmt: skip  # noqa: E501
        # In ranges of positions: for a limit, a planner without statistics reads everything and sorts it each time.
        columns = _COLUMNS.replace("header", "convert_to(header::text, 'UTF8')")
        text = f"SELECT id, {columns} FROM rows WHERE id BETWEEN ? AND ? ORDER BY id"  # noqa: S608
        following = "SELECT min(id) FROM rows WHERE id BETWEEN ? AND ?"
        while (start := self._database.read(following, (first, last))[0][0]) is not None:
            first = start + _PAGE
            yield from self._database.read(text, (start, min(last, first - 1)))

    def select(self, where: Where, *, newest_first: bool = False, limit: int | None = None) -> Iterator[Row]:
        condition, values = queries.matching(where)
        order = "DESC" if newest_first else "ASC"
        text = f"SELECT {_READ} FROM rows WHERE {condition} ORDER BY id {order} LIMIT ?"  # noqa: S608
        if limit is not None and limit <= _PAGE:
            yield from map(Row._make, self._database.read(text, (*values, limit)))
            return
        for page in self._database.pages(text, (*values, limit), _PAGE):
            yield from map(Row._make, page)

    def since(self, heads: Mapping[str, int], limit: int) -> list[Row]:
        text = f"SELECT id, {_READ} FROM rows WHERE writer = ? AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
        found: list[Any] = []
        for writer, head in self.heads().items():
            if head.seq > heads.get(writer, 0):
                found += self._database.read(text, (writer, heads.get(writer, 0), limit))
        return [Row._make(row[1:]) for row in sorted(found)[:limit]]

    def row(self, writer: str, seq: int) -> Row | None:
        found = self._database.read(f"SELECT {_READ} FROM rows WHERE writer = ? AND seq = ?", (writer, seq))  # noqa: S608
        return Row._make(found[0]) if found else None

    def blob(self, sha256: bytes) -> bytes | None:
        found = self._database.read("SELECT body FROM blobs WHERE sha256 = ?", (sha256,))
        return found[0][0] if found else None

    def last_before(self, writer: str, at: int) -> int:
        newest = self._database.read("SELECT max(seq) FROM rows WHERE writer = ?", (writer,))[0][0] or 0
        return queries.last_before(
            at, newest, lambda seq: next(iter(self._database.read(queries.NEXT_ROW, (writer, seq))), None)
        )

    def of_person(self, principal: str, limit: int) -> list[Span]:
        return queries.spans(self._database.read(queries.OF_PERSON, (principal, principal, limit)))

    def clear(self, spans: Iterable[Span], *, person: bool, content: bool, record: Batch) -> int:
        columns = queries.parts(person=person, content=content)
        some = " OR ".join(f"{column} IS NOT NULL" for column in columns)
        widths = " + ".join(
            f"coalesce(octet_length({column}), 0)" for column in columns if column in ("person", "content")
        )
        text = (
            f"WITH found AS (SELECT id, {widths} AS bytes FROM rows"  # noqa: S608
            f" WHERE writer = ? AND seq BETWEEN ? AND ? AND ({some}) FOR UPDATE),"
            f" gone AS (UPDATE rows SET {', '.join(f'{column} = NULL' for column in columns)}"
            " FROM found WHERE rows.id = found.id RETURNING found.bytes)"
            " SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone"
        )
        wanted = list(spans)

        def erase(connection: Connection) -> int:
            _reserve(connection, wanted)
            erased = sum(_count(connection, text, span) for span in wanted)
            if content:
                _release(connection, wanted)
            return erased

        return self._write(record, erase, alone=True)

    def drop(self, spans: Iterable[Span], record: Batch) -> int:
        text = (
            f"WITH gone AS ({queries.DROP} RETURNING octet_length(header::text) + {_PARTS} + {_ROW} AS bytes)"  # noqa: S608
            " SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone"
        )
        wanted = list(spans)

        def delete(connection: Connection) -> int:
            _reserve(connection, wanted)
            deleted = sum(_count(connection, text, span) for span in wanted)
            _release(connection, wanted)
            for writer in sorted({span.writer for span in wanted}):
                for forget in queries.FORGET:
                    connection.execute(sql(forget), (writer, writer))
            return deleted

        return self._write(record, delete, alone=True)

    def size(self) -> int:
        of_rows = "SELECT coalesce(sum(bytes), 0)::bigint FROM writers"
        of_blobs = "SELECT coalesce(sum(octet_length(body)), 0)::bigint FROM blobs"
        return int(self._database.read(of_rows)[0][0] + self._database.read(of_blobs)[0][0])

    def tidy(self) -> None:
        # What was erased cannot be read any more. The server's files, log and backups are its administrator's.
        for table in ("rows", "blobs", "refs"):
            self._database.command(f"VACUUM {table}")

    def close(self) -> None:
        self._database.close()

    def _write(self, batch: Batch, action: Callable[[Connection], int], *, alone: bool = False) -> int:
        """Appends `batch` and does `action`, in one transaction; nothing when `batch` is there already.

        `alone`: after others who do such a thing.
        """
        for _ in range(_TRIES):
            try:
                with self._database.transaction() as connection:
                    if alone:
                        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_UPKEEP,))
                    _append(connection, batch)
                    return action(connection)
            except UniqueViolation as error:
                why = error.diag.message_primary or "it is there already"
                queries.must_be_there(batch, self._database.read(queries.HASHES, queries.span_of(batch)), why)
                return 0
            except CONFLICTS:
                continue  # another transaction came to need, or deleted, the same blob: look again
        raise StoreError(f"the journal's database is too busy: {_TRIES} tries got into another's way")


# Whoever changes something takes locks in this order, so that nobody waits in a circle: rows of `writers`, blobs, rows of
# `joined`; of each table by their key. PostgreSQL would find a circle after a second only, and end one of the two.


def _append(connection: Connection, batch: Batch) -> None:
    blobs = sorted(batch.blobs)
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_APPEND,))
    last = batch.rows[-1]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO writers AS w VALUES(%s, %s, %s, %s) ON CONFLICT (writer)"
            " DO UPDATE SET seq = excluded.seq, hash = excluded.hash, bytes = w.bytes + excluded.bytes",
            (last.writer, last.seq, last.hash, sum(map(_bytes, batch.rows))),
        )
        if blobs:
            cursor.executemany(
                "INSERT INTO blobs VALUES(%s, %s) ON CONFLICT DO NOTHING", [(blob.sha256, blob.body) for blob in blobs]
            )
            cursor.executemany(
                "INSERT INTO refs VALUES(%s, %s, %s) ON CONFLICT DO NOTHING",
                [(blob.writer, blob.seq, blob.sha256) for blob in blobs],
            )
        with cursor.copy(sql(f"COPY rows({_COLUMNS}) FROM STDIN (FORMAT BINARY)")) as copy:
            copy.set_types(_TYPES)
            for row in batch.rows:
                copy.write_row(row)
        if batch.joins:
            cursor.executemany(
                "INSERT INTO joined AS j VALUES(%s, %s) ON CONFLICT (writer)"
                " DO UPDATE SET seq = greatest(j.seq, excluded.seq)",
                sorted(batch.joins.items()),
            )


def _bytes(row: Row) -> int:
    return len(row.header) + len(row.person or b"") + len(row.content or b"") + _ROW


def _count(connection: Connection, text: str, span: Span) -> int:
    """Does what `text` says to these rows, which gives how many and how many bytes; the writer's sum follows."""
    found = connection.execute(sql(text), span).fetchone()
    count, size = found or (0, 0)
    connection.execute("UPDATE writers SET bytes = bytes - %s WHERE writer = %s", (size, span.writer))
    return int(count)


def _reserve(connection: Connection, spans: Iterable[Span]) -> None:
    """Nobody else appends to these chains from now on."""
    names = sorted({span.writer for span in spans})
    connection.execute("SELECT FROM writers WHERE writer = ANY(%s) ORDER BY writer FOR UPDATE", (names,))


def _release(connection: Connection, spans: Iterable[Span]) -> None:
    """These rows need their blobs no more; those that nobody needs go."""
    text = "DELETE FROM refs WHERE writer = %s AND seq BETWEEN %s AND %s RETURNING sha256"
    names = sorted({name for span in spans for (name,) in connection.execute(text, span)})
    if names:
        connection.execute(
            "WITH unneeded AS (SELECT sha256 FROM blobs WHERE sha256 = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM refs WHERE refs.sha256 = blobs.sha256) ORDER BY sha256 FOR UPDATE)"
            " DELETE FROM blobs USING unneeded WHERE blobs.sha256 = unneeded.sha256",
            (names,),
        )
