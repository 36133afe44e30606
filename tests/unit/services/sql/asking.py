"""Runs in the tool's own environment: asks each of the queries given, and prints what came of it as JSON.

In a process of its own because the bound on SQLite's memory holds for the whole process, and for good.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from sql_tool.database import file, sample, schema
from sql_tool.query import QueryFailed, run
from sql_tool.tool import sql

ASKED: dict[str, list[str]] = json.loads(sys.argv[1])


def ticking(step: float) -> Any:
    """A clock that moves on by `step` each time it is looked at."""
    now = iter(range(10**9))
    return lambda: next(now) * step


def tool(query: str, **more: Any) -> Any:
    call = {"type": "tool_call", "id": "1", "name": "sql", "args": {"query": query, **more}}
    try:
        message = sql.invoke(call)
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"text": message.content, "artifact": message.artifact}


def timed(query: str, step: float) -> str:
    """How a query ends that sees the clock move on by `step` seconds at each look."""
    try:
        return str(run(sample(), query, 5, ticking(step)).rows)
    except QueryFailed as failure:
        return str(failure)


def own_file() -> dict[str, Any]:
    """A database of someone's own: read, and the same bytes afterwards, whatever was asked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd name?.db"
        with sqlite3.connect(path) as made:
            made.execute("CREATE TABLE notes (id INTEGER, text TEXT)")
            made.execute("INSERT INTO notes VALUES (1, 'kept')")
        made.close()
        before = path.read_bytes()
        data = file(str(path))
        said = []
        for query in ("SELECT text FROM notes", "UPDATE notes SET text = ''", "DROP TABLE notes"):
            try:
                said.append(str(run(data, query, 5, lambda: 0.0).rows))
            except QueryFailed as failure:
                said.append(str(failure))
        unguarded = data()
        try:
            unguarded.execute("UPDATE notes SET text = ''")
        except sqlite3.Error as error:
            said.append(str(error))
        unguarded.close()
        try:
            file(str(path) + ".missing")
        except sqlite3.Error as error:
            said.append(str(error))
        files = sorted(each.name for each in Path(folder).iterdir())
        return {"said": said, "same": path.read_bytes() == before, "files": files, "schema": schema(data)}


MANY = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 60000) SELECT max(x) FROM n"
print(
    json.dumps(
        {
            "description": sql.description,
            "tool": {query: tool(query) for query in ASKED["tool"]},
            "rows": {str(rows): tool("SELECT id FROM orders ORDER BY id", rows=rows) for rows in (0, 1, 500, 501)},
            "exactly": tool("SELECT id FROM orders ORDER BY id LIMIT 50"),
            "one more": tool("SELECT id FROM orders ORDER BY id LIMIT 51"),
            "in time": timed(MANY, 0.001),
            "late": timed(MANY, 1.0),
            "own": own_file(),
        }
    )
)
