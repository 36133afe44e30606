"""The connection of a journal in PostgreSQL: opened again when it was lost, and its errors told without what is secret."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from gateway.adapters.journal.databases.schema import Step, missing_steps
from gateway.adapters.journal.store import StoreError

Connection = psycopg.Connection[tuple[Any, ...]]

CONFLICTS = (errors.UniqueViolation, errors.ForeignKeyViolation, errors.DeadlockDetected, errors.SerializationFailure)
"""What passes through as it is, for the caller to judge."""

_DEFAULTS = {
    "application_name": "firebreak-journal",
    "connect_timeout": "5",
    "client_encoding": "utf8",
    "tcp_user_timeout": "10000",  # milliseconds until a server that has vanished is a lost connection
}

_MIGRATION = 0x46495245
"""Key of the lock under which the schema changes."""

_CAUSES = (
    ("password authentication failed", "it does not accept the user name and password"),
    ("no password supplied", "it wants a password, and the connection string has none"),
    ("no pg_hba.conf entry", "it does not let this user in from here"),
    ("could not translate host name", "its host name is not known here"),
    ("failed to resolve host", "its host name is not known here"),
    ("Connection refused", "nothing listens there"),
    ("No such file or directory", "nothing listens there"),
    ("does not exist", "it has no such database or user"),
    ("timeout expired", "it does not answer"),
    ("the database system is", "it is starting or stopping"),
    ("too many clients", "it has no connection left"),
    ("SSL", "no secure connection can be made"),
)
"""Words of the client library, and what they mean. Its own text may quote the connection string: it goes nowhere."""


class PostgresqlConnection:
    """One connection, and how to make it again. Every method raises StoreError, `transaction` also `CONFLICTS`."""

    def __init__(self, dsn: str, steps: Sequence[Step], *, durable: bool) -> None:
        try:
            self._settings: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(dsn)}
        except psycopg.Error:
            raise StoreError(
                "the journal's connection string is not one that PostgreSQL knows", passing=False
            ) from None
        self._steps = steps
        self._durable = durable
        self._connection: Connection | None = self._open()

    def read(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of one statement."""
        with self.errors() as connection:
            return connection.execute(sql(text), values, binary=True).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commits at its end; any error undoes it."""
        with self.errors() as connection, connection.transaction():
            yield connection

    def command(self, text: str) -> None:
        """A statement that cannot be part of a transaction."""
        with self.errors() as connection:
            connection.execute(sql(text))

    def pages(self, text: str, values: Sequence[object], size: int) -> Iterator[list[Any]]:
        """What one statement finds, `size` rows at a time, over a connection of its own: this one stays free for others."""
        with (
            self._told(),
            self._connect() as connection,
            connection.transaction(),
            connection.cursor("pages") as cursor,
        ):
            cursor.execute(sql(text), values, binary=True)
            while page := cursor.fetchmany(size):
                yield page

    @contextmanager
    def errors(self) -> Iterator[Connection]:
        """The open connection; its errors in the journal's words."""
        if self._connection is None:
            self._connection = self._open()
        try:
            with self._told():
                yield self._connection
        finally:
            if self._connection is not None and self._connection.closed:
                self._connection = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        connection = self._connect()
        try:
            with self._told():
                if connection.info.parameter_status("server_encoding") != "UTF8":
                    raise StoreError("the journal's database must have the encoding UTF8", passing=False)
                if missing_steps(_version(connection), self._steps):
                    _migrate(connection, self._steps)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> Connection:
        try:
            connection = psycopg.connect("", autocommit=True, **self._settings)
            connection.execute(sql(f"SET synchronous_commit = {'on' if self._durable else 'off'}"))
            connection.execute("SET search_path = firebreak")
        except psycopg.Error as error:
            found = (meaning for words, meaning in _CAUSES if words in str(error))
            raise StoreError(f"the journal's database cannot be reached: {next(found, 'no connection')}") from None
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except CONFLICTS:
            raise
        except psycopg.Error as error:
            passing = isinstance(
                error, psycopg.OperationalError | psycopg.InterfaceError | errors.ReadOnlySqlTransaction
            )
            why = error.diag.message_primary or ("the connection is lost" if passing else type(error).__name__)
            raise StoreError(f"the journal's database did not do it: {why}", passing=passing) from None


def sql(text: str) -> bytes:
    """A statement as psycopg takes it: its parameters are `%s`, and it wants to know that nobody put values into the text."""
    return text.replace("?", "%s").encode()


def _version(connection: Connection) -> int:
    """How many steps the database has behind it, 0 for a new one."""
    if connection.execute("SELECT to_regclass('firebreak.meta')").fetchone() == (None,):
        return 0
    found = connection.execute("SELECT version FROM meta").fetchone()
    return int(found[0]) if found else 0


def _migrate(connection: Connection, steps: Sequence[Step]) -> None:
    """Takes the steps that are missing, in one transaction, one program at a time."""
    # The lock comes before the transaction: one that has begun may not see what another program has just made.
    connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION,))
    with connection.transaction():
        version = _version(connection)
        if version == 0:
            connection.execute("CREATE SCHEMA IF NOT EXISTS firebreak")
            connection.execute("CREATE TABLE meta(version bigint NOT NULL, salt bytea NOT NULL)")
            connection.execute("INSERT INTO meta VALUES(0, %s)", (secrets.token_bytes(32),))
        for step in missing_steps(version, steps):
            for statement in step:
                connection.execute(statement.encode())
        connection.execute("UPDATE meta SET version = %s", (len(steps),))
    connection.execute("SELECT pg_advisory_unlock(%s)", (_MIGRATION,))
