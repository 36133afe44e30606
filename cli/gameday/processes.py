"""The processes of an instance, seen from outside: who descends from whom, when one is gone, what it uses."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def descendants(pid: int) -> set[int]:
    """Every process below `pid`, by /proc."""
    children: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(_parent(stat), set()).add(int(stat.parent.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), set()) - found
        found |= below
        todo.extend(below)
    return found


def _parent(stat: Path) -> int:
    return int(stat.read_text().rsplit(")", 1)[1].split()[1])


def workers(pid: int) -> set[int]:
    """The worker processes below `pid`: forks of the zygote, so that each has its parent's command line."""
    return {one for one, worker in _running(pid).items() if worker}


def standing(pid: int) -> set[int]:
    """The processes below `pid` that are to outlive every call: all but the workers and what is about to be gone."""
    return {one for one, worker in _running(pid).items() if not worker}


def _running(pid: int) -> dict[int, bool]:
    """Whether each process below `pid` is a worker. Who has given back its memory, or waits to be reaped, has no command line
    any more and is left out: what it was cannot be told."""
    found = {}
    for one in descendants(pid):
        with suppress(OSError):
            if own := _command_line(one):
                found[one] = b"zygote" in own and own == _command_line(_parent(Path(f"/proc/{one}/stat")))
    return found


def _command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def outside(pid: int, below: int) -> int | None:
    """What a process below `below`, which is `pid` in a process namespace of its own, is here; None where there is none."""
    for one in descendants(below):
        with suppress(OSError):
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            if any(line.startswith("NSpid:") and int(line.split()[-1]) == pid for line in lines):
                return one
    return None


def alive(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def memory(pid: int) -> float:
    """MiB of memory that `pid` occupies."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Watch:
    """Notes the instants at which some processes end, as the kernel tells them, without polling."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
        self._open: dict[int, int] = {}
        for pid in pids:
            with suppress(ProcessLookupError):
                self._watch(pid)

    def _watch(self, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        self._open[pid] = pidfd
        self._loop.add_reader(pidfd, self._ended, pid)

    def _ended(self, pid: int) -> None:
        self._loop.remove_reader(self._open[pid])
        self._ends.put_nowait((pid, time.monotonic()))

    async def first(self, seconds: float, since: float = 0.0) -> tuple[int, float] | None:
        """The next process to end, at `since` or later, and the monotonic instant; None if none does within `seconds`.

        What ends before is still dying of an earlier fault.
        """
        try:
            async with asyncio.timeout(seconds):
                while (ended := await self._ends.get())[1] < since:
                    pass
                return ended
        except TimeoutError:
            return None

    def close(self) -> None:
        for pidfd in self._open.values():
            self._loop.remove_reader(pidfd)
            os.close(pidfd)
        self._open.clear()
