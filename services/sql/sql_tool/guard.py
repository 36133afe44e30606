"""What a query may do: read, and within bounds. Every bound is SQLite's own, so that no cleverly written text gets round it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

Clock = Callable[[], float]

SECONDS = 3.0
"""How long one query may run."""
STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock: a fraction of a millisecond."""
HEAP = 64 * 1024**2
"""Bytes that SQLite may hold, sorting and grouping included."""

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,  # bytes of a value or a row: printf and zeroblob can ask for much
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 10_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 50,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500,  # patterns of many stars take very long
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

_VALUES = """
    abs avg ceil ceiling char coalesce concat concat_ws count cume_dist date datetime dense_rank exp first_value floor format
    glob group_concat hex iif ifnull instr julianday lag last_value lead length like ln log log10 log2 lower ltrim max min mod
    nth_value ntile nullif percent_rank pi pow power printf quote radians rank replace round row_number rtrim sign sqrt
    strftime string_agg substr substring sum time timediff total trim trunc typeof unicode unixepoch upper
    json json_array json_array_length json_each json_extract json_group_array json_group_object json_object json_tree json_type
    json_valid -> ->>
"""
FUNCTIONS = frozenset(_VALUES.split())
"""Functions that work on values. Not among them: what loads code, reads files, or tells about the machine."""

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}


class Forbidden(Exception):
    """The query wants more than to read; the text says what, for whoever wrote it."""


class TooLong(Exception):
    """The query ran for longer than it may."""


class Guard:
    """Watches one connection from now on. `seconds` is how long its queries may run, by `clock`."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, seconds: float = SECONDS) -> None:
        self._clock = clock
        self._until = clock() + seconds
        self._refused = ""
        self._late = False
        connection.execute(f"PRAGMA hard_heap_limit = {HEAP}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        for limit, value in LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(self._authorize)
        connection.set_progress_handler(self._look, STEPS)

    def explain(self, error: Exception) -> Exception:
        """What really was wrong: SQLite reports "not authorized" and "interrupted" in the same words for all reasons."""
        if self._late:
            return TooLong()
        return Forbidden(self._refused) if self._refused else error

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _READING or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            self._refused = f"the function {second} is not available"
        elif action == sqlite3.SQLITE_PRAGMA:
            self._refused = f"pragma {first} is not available"
        else:
            self._refused = "only SELECT is allowed: nothing can be changed here"
        return sqlite3.SQLITE_DENY

    def _look(self) -> int:
        self._late = self._clock() > self._until
        return int(self._late)
