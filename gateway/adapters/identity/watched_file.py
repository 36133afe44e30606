"""Noticing that a file changed, from its directory entry alone."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int, int]
"""What changes when a file is written, replaced or made readable: mtime, ctime, size and inode."""


def stamp(path: Path) -> Stamp:
    """The stamp of the file that `path` leads to (links are followed, as a mounted secret is swapped by a link).

    Raises OSError.
    """
    status = path.stat()
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def why(error: OSError) -> str:
    """The error in words, without the path, which the caller puts before it."""
    return error.strerror or type(error).__name__
