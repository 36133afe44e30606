"""A file system of a few MiB for one process, without any right on this machine: in a mount namespace of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.gameday.instance import ROOT

SIZE = 2 * 1024**2
_BLOCK = 4096


def prefix(folder: Path) -> list[str] | None:
    """What to put before a command so that `folder` is a small disk for it; None where this machine does not allow that."""
    return next((way for way in _ways(folder) if _works(way)), None)


def _ways(folder: Path) -> tuple[list[str], ...]:
    bwrap = ROOT / ".firebreak/tools/bin/bwrap"
    mount = f'mount -t tmpfs -o size={SIZE} tmpfs "$0" && exec "$@"'
    return (
        ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)],
        [
            str(bwrap) if bwrap.exists() else "bwrap",
            "--dev-bind",
            "/",
            "/",
            "--size",
            str(SIZE),
            "--tmpfs",
            str(folder),
        ],
    )


def _works(way: list[str]) -> bool:
    try:
        return subprocess.run([*way, "true"], capture_output=True, check=False, timeout=10).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No byte is left on the disk of `folder` meanwhile."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * _BLOCK):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()
