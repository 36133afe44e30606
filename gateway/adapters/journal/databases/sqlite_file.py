"""The file of a journal in SQLite: made for its owner only, brought up to date, and opened again when it was put aside."""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.adapters.journal.databases.schema import Step, missing_steps
from gateway.adapters.journal.store import StoreError

_BUSY = 2.0
"""Seconds to wait for another process that writes."""

_SETTINGS = (
    "PRAGMA page_size = 8192",  # four rows to a page; counts only in a new file, like the next
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -16384",
    "PRAGMA journal_size_limit = 67108864",
)

_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_PASSING = (
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_READONLY,
)  # fmt: skip


class SqliteFile:
    """One connection to the file `path`. Every method raises StoreError."""

    def __init__(self, path: Path, steps: Sequence[Step], *, durable: bool) -> None:
        self._path = path
        self._steps = steps
        self._durable = durable
        self._identity = (0, 0)
        self._connection: sqlite3.Connection | None = self._open()

    def read(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of one statement."""
        with self.errors() as connection:
            return connection.execute(text, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits at its end; any error undoes it. sqlite3.IntegrityError passes as it is, for the caller to judge."""
        self._same_file()
        with self.errors() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def errors(self) -> Iterator[sqlite3.Connection]:
        """The open connection; its errors in the journal's words."""
        if self._connection is None:
            self._connection = self._open()
        try:
            yield self._connection
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise self._told(error) from None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _same_file(self) -> None:
        """A file that was moved or deleted would take rows which nobody ever finds: the next call makes it anew.

        Not passing, because a chain cannot go on in a file that lacks its beginning.
        """
        if self._connection is not None and _identity(self._path) != self._identity:
            self.close()
            raise StoreError(f"{self._path} was moved or deleted while it was in use", passing=False)

    def _open(self) -> sqlite3.Connection:
        connection = None
        try:
            with _alone(self._path):
                self._identity = _make(self._path)
                connection = sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
                self._prepare(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._told(error) from None
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for setting in _SETTINGS:
            connection.execute(setting)
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError(f"{self._path} is on a file system where SQLite has no write-ahead log", passing=False)
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        if missing_steps(_version(connection), self._steps):
            _migrate(connection, self._steps)

    def _told(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _DAMAGED:
            return StoreError(
                f"{self._path} is damaged or is no journal ({error}): put it aside, with its -wal and -shm beside it,"
                " and a new one is made",
                passing=False,
            )
        return StoreError(f"{self._path}: {error}", passing=code in _PASSING)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else opens a journal in this folder: SQLite does not wait for another that turns on the write-ahead log."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _make(path: Path) -> tuple[int, int]:
    """Makes the file where it is missing, for its owner only; what identifies it.

    A file that is there is not touched: to close any handle of it would end all locks that this process has on it.
    """
    if not path.exists():
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError(f"{path} cannot be opened: {error.strerror}") from None
    return _identity(path)


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _version(connection: sqlite3.Connection) -> int:
    """How many steps the file has behind it, 0 for a new one."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchall():
        return 0
    return int(connection.execute("SELECT version FROM meta").fetchone()[0])


def _migrate(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    """Takes the steps that are missing, in one transaction, while nobody else writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version == 0:
            connection.execute("CREATE TABLE meta(version INTEGER NOT NULL, salt BLOB NOT NULL) STRICT")
            connection.execute("INSERT INTO meta VALUES(0, ?)", (secrets.token_bytes(32),))
        for step in missing_steps(version, steps):
            for statement in step:
                connection.execute(statement)
        connection.execute("UPDATE meta SET version = ?", (len(steps),))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
