"""The processes around this one, as far as it sees them, and where its own code is."""

import os
from pathlib import Path
from typing import Any

CODE = str(Path(__file__).parent)


def visible() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())


def parent(pid: int) -> int:
    """0 for a process that cannot be looked at."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def family() -> tuple[int, int, list[int]]:
    """The host, the zygote, and the other workers. To be asked in the worker, not in what it starts."""
    zygote = os.getppid()
    others = [pid for pid in visible() if parent(pid) == zygote and pid != os.getpid()]
    return parent(zygote), zygote, others


def around_it(around: dict[str, Any]) -> list[int]:
    """Those of the service but this one, those in "pids", and with "all" every one that it sees."""
    host, zygote, others = family()
    found = [host, zygote, *others, *around["pids"], *(visible() if around["all"] else ())]
    return [pid for pid in dict.fromkeys(found) if pid != os.getpid()]


def is_own(pid: int) -> bool:
    """Whether it is this worker or came from it: that one it may do with as it likes."""
    try:
        return os.getpgid(pid) == os.getpgrp()
    except OSError:
        return False
