"""What is mounted where, as the kernel tells it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mount; `writable` says that neither it nor its file system is read-only."""

    path: str
    kind: str
    writable: bool


def mounts() -> list[Mount]:
    """All of this process; of several at one path the last is the one that is seen."""
    with suppress(OSError):
        return list({mount.path: mount for mount in map(_read, _lines())}.values())
    return []


def _lines() -> list[str]:
    return Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()


def _read(line: str) -> Mount:
    before, _, after = line.partition(" - ")
    path, options = before.split()[4:6]
    kind, _, of_the_whole = after.split()[:3]
    writable = "rw" in options.split(",") and "rw" in of_the_whole.split(",")
    return Mount(_OCTAL.sub(lambda match: chr(int(match[1], 8)), path), kind, writable)
