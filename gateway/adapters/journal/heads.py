"""Where each chain ended, remembered outside the database, so that a chain which was cut short is noticed.

A hash chain proves that nothing before its last row changed; it cannot know that there was a later one. So a writer notes its
head here after each transaction: never ahead of the database, and at most one transaction behind it.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.adapters.journal.rows import Head

_WIDTH = 96
"""Bytes of a note, always the same, so that one write replaces the whole of it."""


class Heads:
    """A folder with one small file for each writer whose chain no other chain has joined yet."""

    def __init__(self, folder: Path) -> None:
        """Makes `folder`. Raises OSError."""
        self._folder = folder
        self._files: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def note(self, writer: str, head: Head) -> None:
        """Remembers `head`. Raises OSError. The system's cache is enough: it outlives the process."""
        os.pwrite(self._file(writer), f"{head.seq} {head.hash.hex()}".ljust(_WIDTH - 1).encode() + b"\n", 0)

    def forget(self, writer: str, head: Head) -> Head | None:
        """Another chain names this one's `head` now, and is noted itself. Raises OSError, or ValueError for what is no note.

        The noted end where that is another one: the note stays, because nothing else may know of it.
        """
        file = self._folder / writer
        noted = _read(file)
        if noted is not None and (noted.seq > head.seq or (noted.seq == head.seq and noted.hash != head.hash)):
            return noted
        file.unlink(missing_ok=True)
        return None

    def _file(self, writer: str) -> int:
        """The open note; a new one when another writer joined this chain and forgot it while it grew on."""
        file = self._files.get(writer)
        if file is not None and os.fstat(file).st_nlink:
            return file
        if file is not None:
            # Forgotten before it is closed: its number may be another file's the next moment, were opening to fail below.
            del self._files[writer]
            os.close(file)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._files[writer] = os.open(self._folder / writer, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._files[writer]

    def close(self) -> None:
        for file in self._files.values():
            os.close(file)
        self._files.clear()


def read_heads(folder: Path) -> dict[str, Head]:
    """Every noted head by writer; none where there is no folder. Raises ValueError naming a note that cannot be read."""
    files = sorted(folder.iterdir()) if folder.is_dir() else ()
    return {file.name: head for file in files if (head := _read(file)) is not None}


def _read(file: Path) -> Head | None:
    """None for one that is gone, because another chain names this one's end, or empty, because its writer was killed before
    the first word."""
    try:
        words = file.read_text(errors="replace").split()
    except FileNotFoundError:
        return None
    try:
        return Head(int(words[0]), bytes.fromhex(words[1])) if words else None
    except (IndexError, ValueError):
        raise ValueError(f"{file} is not the note of a chain's end") from None
