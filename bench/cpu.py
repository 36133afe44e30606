"""CPU time of other processes, and the cores that they may use."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def seconds(pid: int) -> float:
    """CPU seconds that all threads of process `pid` have used so far, to the nanosecond (Linux)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def family(pid: int) -> float:
    """The same of a process and of its children that live, such as a database's."""
    total = seconds(pid)
    for child in children(pid):
        with suppress(FileNotFoundError):  # it has ended in this moment
            total += seconds(child)
    return total


def children(pid: int) -> list[int]:
    """Ids of the processes that `pid` has started and that live."""
    return [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def machine() -> float:
    """CPU seconds that everything on this machine has used so far, in steps of 10 ms; time that the host took is among it."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def pin(pid: int, cores: Iterable[int]) -> None:
    """Keeps all threads of `pid`, and those that they start later, on `cores`."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended in this moment
            os.sched_setaffinity(int(task.name), cores)
