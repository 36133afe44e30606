"""What files look like from outside, so that a change is noticed without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

Mark = tuple[tuple[str, int, int], ...]
"""Path, time of change in nanoseconds and size of each file; empty where there is none."""


def file_mark(*paths: Path) -> Mark:
    """The mark of these files as far as they are there."""
    return tuple(entry for path in paths for entry in _entry(path, path.name))


def folder_mark(folder: Path) -> Mark:
    """The mark of all that a service may be made of: every file below `folder` but hidden ones and byte code."""
    return tuple(sorted(_below(folder, "")))


def environment_mark(env: Path) -> tuple[str, str] | None:
    """From what an environment was made, as setup wrote it down; None while it is not there or not complete."""
    try:
        return (env / ".stamp").read_text(), (env / ".wheels").read_text()
    except OSError:
        return None


def _below(folder: Path, inside: str) -> Iterator[tuple[str, int, int]]:
    try:
        found = list(os.scandir(folder))
    except OSError:
        return
    for entry in found:
        if entry.name.startswith(".") or entry.name == "__pycache__" or entry.name.endswith("~"):
            continue
        name = f"{inside}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), f"{name}/")
        else:
            yield from _entry(Path(entry.path), name)


def _entry(path: Path, name: str) -> Iterator[tuple[str, int, int]]:
    try:
        found = path.stat()
    except OSError:
        return
    yield name, found.st_mtime_ns, found.st_size
