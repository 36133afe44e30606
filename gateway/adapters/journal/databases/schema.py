"""The tables of a journal, for both databases, and the steps by which an older journal is brought up to date.

What is asked for by value is a generated column: it is computed from the header by the database, so that no writer can make
the two differ. SQLite computes it when it is read, PostgreSQL keeps it. A step, once released, never changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.adapters.journal import rows
from gateway.adapters.journal.store import StoreError

Step = tuple[str, ...]
"""The statements that lead from one version to the next. A journal's version is how many steps it has behind it."""

_GENERATED = {
    "at": rows.AT,
    "kind": rows.KIND,
    "call": rows.CALL_ID,
    "session": rows.SESSION,
    "target": rows.TARGET,
    "outcome": rows.OUTCOME,
    "reason": rows.REASON,
    "decision": rows.DECISION,
}
"""Generated columns and their places in a header."""

_INDEXES = (
    "CREATE INDEX rows_by_session ON rows(session{id}) WHERE session <> ''",
    "CREATE INDEX rows_by_call ON rows(call{id}) WHERE call <> ''",
    "CREATE INDEX rows_by_decision ON rows(decision{id}) WHERE decision <> ''",
    "CREATE INDEX rows_by_target ON rows(target{id}) WHERE target <> ''",
    "CREATE INDEX rows_by_principal ON rows(principal{id}) WHERE principal IS NOT NULL",
    "CREATE INDEX rows_by_origin ON rows(origin{id}) WHERE origin IS NOT NULL",
    "CREATE INDEX rows_by_at ON rows(at{id})",
    "CREATE INDEX rows_about_the_journal ON rows(kind{id}) WHERE kind NOT IN ('call', 'opened')",
)
"""Each ends with the row's position, in which everything is listed; in SQLite every index does without being told."""


def _sqlite_columns() -> str:
    types = {"at": "INTEGER"}
    return ", ".join(
        f"{name} {types.get(name, 'TEXT')} GENERATED ALWAYS AS (json_extract(header, '$[{place}]')) VIRTUAL"
        for name, place in _GENERATED.items()
    )


def _postgresql_columns() -> str:
    # PostgreSQL's text cannot hold a NUL, and one escape for it anywhere in a header would keep the whole row out.
    value = (
        "CASE WHEN strpos(header::text, '\\u0000') = 0 THEN header->>{place}"
        " ELSE replace(header::text, '\\u0000', '\\ufffd')::json->>{place} END"
    )
    return ", ".join(
        f"{name} bigint GENERATED ALWAYS AS (({value.format(place=place)})::bigint) STORED"
        if name == "at"
        else f"{name} text GENERATED ALWAYS AS ({value.format(place=place)}) STORED"
        for name, place in _GENERATED.items()
    )


SQLITE: tuple[Step, ...] = (
    (
        "CREATE TABLE rows(id INTEGER PRIMARY KEY, writer TEXT NOT NULL, seq INTEGER NOT NULL, header TEXT NOT NULL,"
        " hash BLOB NOT NULL, principal TEXT, origin TEXT, person BLOB, content BLOB,"
        f" {_sqlite_columns()}, UNIQUE(writer, seq)) STRICT",
        *(index.format(id="") for index in _INDEXES),
        "CREATE TABLE blobs(sha256 BLOB PRIMARY KEY, body BLOB NOT NULL) STRICT",
        "CREATE TABLE refs(writer TEXT NOT NULL, seq INTEGER NOT NULL, sha256 BLOB NOT NULL,"
        " PRIMARY KEY(writer, seq, sha256)) STRICT, WITHOUT ROWID",
        "CREATE INDEX refs_by_blob ON refs(sha256)",
        "CREATE TABLE writers(writer TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT",
        "CREATE TABLE joined(writer TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT",
    ),
)

POSTGRESQL: tuple[Step, ...] = (
    (
        "CREATE TABLE rows(id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, writer text NOT NULL, seq bigint NOT NULL,"
        " header json NOT NULL, hash bytea NOT NULL, principal text, origin text, person bytea, content bytea,"
        f" {_postgresql_columns()}, UNIQUE(writer, seq))",
        *(index.format(id=", id") for index in _INDEXES),
        "CREATE TABLE blobs(sha256 bytea PRIMARY KEY, body bytea NOT NULL)",
        # Kept as it is, outside of the row: its length is then known without reading it.
        "ALTER TABLE blobs ALTER COLUMN body SET STORAGE EXTERNAL",
        # The reference makes sure that nobody deletes a blob which another transaction has just come to need.
        "CREATE TABLE refs(writer text NOT NULL, seq bigint NOT NULL, sha256 bytea NOT NULL REFERENCES blobs,"
        " PRIMARY KEY(writer, seq, sha256))",
        "CREATE INDEX refs_by_blob ON refs(sha256)",
        # `bytes` of a writer's rows: what free space the server's files have is not to be had without an extension.
        "CREATE TABLE writers(writer text PRIMARY KEY, seq bigint NOT NULL, hash bytea NOT NULL, bytes bigint NOT NULL)",
        "CREATE TABLE joined(writer text PRIMARY KEY, seq bigint NOT NULL)",
    ),
)


def missing_steps(version: int, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps that a journal of `version` has before it; raises StoreError for one that a newer program has made."""
    if version > len(steps):
        raise StoreError(
            f"the journal was made by a newer Firebreak (schema {version}, this one knows {len(steps)}):"
            " update Firebreak, or name another journal",
            passing=False,
        )
    return steps[version:]
