"""Runs one query on a fresh connection, under guard."""

from __future__ import annotations

import sqlite3

from .database import Open
from .guard import SECONDS, Clock, Forbidden, Guard, TooLong
from .table import Found


class QueryFailed(Exception):
    """The query could not be answered; the text tells its author what to change."""


def run(open_data: Open, query: str, rows: int, clock: Clock, seconds: float = SECONDS) -> Found:
    """At most `rows` rows of what `query` selects. Raises QueryFailed."""
    connection = open_data()
    try:
        guard = Guard(connection, clock, seconds)
        try:
            return _found(connection.execute(query), rows)
        except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError, UnicodeError) as error:
            raise QueryFailed(_words(guard.explain(error), seconds)) from None
    finally:
        connection.close()


def _found(cursor: sqlite3.Cursor, rows: int) -> Found:
    if cursor.description is None:
        raise sqlite3.ProgrammingError("this is no SELECT")
    taken = cursor.fetchmany(rows + 1)
    return Found(tuple(column[0] for column in cursor.description), tuple(taken[:rows]), len(taken) > rows)


def _words(error: Exception, seconds: float) -> str:
    if isinstance(error, Forbidden):
        return str(error)
    if isinstance(error, TooLong):
        return f"the query ran for more than {seconds:g} seconds and was stopped: select less, or add a condition"
    if isinstance(error, MemoryError):
        return "the query needs too much memory: select less at once"
    if "one statement" in str(error):
        return "one statement at a time: send a single SELECT"
    return f"SQLite says: {error}"
