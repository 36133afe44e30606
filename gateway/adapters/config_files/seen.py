"""The files that a configuration was read from, to see whether they have changed since."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

Stamp = tuple[int, int, int, int] | None
"""Time of change, of the entry's change, size and inode; None where there is no such file."""


@dataclass(slots=True)
class Seen:
    """Which files were looked at, and how each was just before that: what is written meanwhile counts as changed."""

    stamps: dict[Path, Stamp] = field(default_factory=dict)

    def note(self, path: Path) -> None:
        """`path` is read next."""
        self.stamps[path.absolute()] = _stamp(path)

    def now(self) -> dict[Path, Stamp]:
        """The files as they are now: equal to `stamps` while nothing has changed."""
        return {path: _stamp(path) for path in self.stamps}


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
