"""Where the data comes from: a file of one's own, or the sample beside this package. Both are opened so that reading is all
that can be done."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

SAMPLE = Path(__file__).parent.parent / "shop.sql"

Open = Callable[[], sqlite3.Connection]
"""Opens the data for one query. What that query does to it, if it could, the next one would not see."""


def sample(script: Path = SAMPLE) -> Open:
    """The sample: made once, then copied for each query, so that no file has to be written anywhere."""
    with sqlite3.connect(":memory:") as made:
        made.executescript(script.read_text(encoding="utf-8"))
        image = made.serialize()
    made.close()

    def open_copy() -> sqlite3.Connection:
        copy = sqlite3.connect(":memory:", isolation_level=None)
        copy.deserialize(image)
        return copy

    return open_copy


def file(path: str) -> Open:
    """A SQLite file, which SQLite itself opens for reading only. Raises sqlite3.Error where it cannot be read."""

    def open_file() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None)

    connection = open_file()
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.close()
    return open_file


def schema(open_data: Open) -> str:
    """The tables as a model reads them: `customers(id INTEGER, name TEXT, …)`, one a line, sorted by name."""
    connection = open_data()
    try:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        return "\n".join(f"{name}({_columns(connection, name)})" for (name,) in names)
    finally:
        connection.close()


def _columns(connection: sqlite3.Connection, table: str) -> str:
    rows = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    return ", ".join(f"{name} {kind}".strip() for name, kind in rows)
