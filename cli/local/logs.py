"""The logs of processes: what they say last, and how they are kept from growing without end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

LARGE = 16 * 1024**2
"""Bytes from which a log is put aside; what was put aside before is let go."""


def last_line(log: Path, size: int = 8192) -> str:
    """The last line of a log that says something, shortened; a structured line's event alone."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return "(no log)"
    line = next((line.strip() for line in reversed(lines) if line.strip()), "(nothing)")
    with contextlib.suppress(ValueError):
        line = str(json.loads(line).get("event", line))
    return line if len(line) <= 300 else line[:299] + "…"


def put_aside(log: Path, size: int) -> None:
    """Renames a log of more than `size` bytes to NAME.log.1, over the one before it."""
    if log.stat().st_size > size:
        log.replace(log.with_name(log.name + ".1"))


def cut(log: Path, size: int) -> None:
    """Empties a log of more than `size` bytes that a process goes on to append to; its last `size` bytes go to NAME.log.1.

    What is written between the copy and the cut is lost. Raises OSError.
    """
    if log.stat().st_size <= size:
        return
    aside = log.with_name(log.name + ".1")
    with log.open("rb") as source, aside.open("wb") as copy:
        source.seek(-size, os.SEEK_END)
        shutil.copyfileobj(source, copy)
    os.truncate(log, 0)
