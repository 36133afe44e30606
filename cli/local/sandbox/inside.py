"""The first process in a sandbox, seen from outside."""

from __future__ import annotations

import contextlib
from pathlib import Path

_PROC = Path("/proc")


def first_process(bubblewrap: int, proc: Path = _PROC) -> int | None:
    """The process that this bubblewrap has started; None while there is none."""
    try:
        children = (proc / f"{bubblewrap}/task/{bubblewrap}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def hears(pid: int, number: int, proc: Path = _PROC) -> bool:
    """Whether a process has a handler for signal `number`: the first one of a sandbox ignores all others."""
    with contextlib.suppress(OSError):
        for line in (proc / f"{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False
