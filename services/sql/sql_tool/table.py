"""Rows as a model reads them, and as a program does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CELL = 200
"""Characters of one value that are shown."""
TEXT = 20_000
"""Characters of the whole table that are shown."""


@dataclass(frozen=True)
class Found:
    """What a query found. `more`: there were more rows than were taken."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool

    def artifact(self) -> dict[str, Any]:
        """For programs: values as JSON carries them, bytes as hexadecimal text."""
        rows = [[value.hex() if isinstance(value, bytes) else value for value in row] for row in self.rows]
        return {"columns": list(self.columns), "rows": rows, "complete": not self.more}


def shown(found: Found) -> str:
    """A table in plain text, then how many rows there are; cut where it is too long, and then it says so."""
    lines = [" | ".join(_cell(column) for column in found.columns)]
    size = len(lines[0])
    for row in found.rows:
        line = " | ".join(_cell(value) for value in row)
        if (size := size + len(line) + 1) > TEXT:
            return "\n".join([*lines, f"({len(lines) - 1} of the rows; the rest is too long to show: select less)"])
        lines.append(line)
    return "\n".join([*lines, _count(found)])


def _count(found: Found) -> str:
    number = len(found.rows)
    if found.more:
        return f"(the first {number} rows; there are more: add a condition, or LIMIT and OFFSET)"
    return f"({number} row{'' if number == 1 else 's'})"


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    text = " ".join(str(value).split("\n"))
    return text if len(text) <= CELL else text[: CELL - 1] + "…"
