"""What Linux offers to keep a tree of processes in hand. Nothing here knows what the processes are for."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class OrphanedError(Exception):
    """The parent was gone before this process could ask to be told."""


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def die_with_parent(parent: int) -> None:
    """The kernel kills this process when the thread that made it ends. Raises OrphanedError if `parent` is already gone."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise OrphanedError


def outlive_parent() -> None:
    """Undoes `die_with_parent`: this process has to clean up after its parent."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def adopt_orphans() -> None:
    """Descendants whose parent dies become children of this process. Raises OSError where /proc cannot list children."""
    Path("/proc/thread-self/children").read_text()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_on_signals(*numbers: int) -> None:
    """SIGTERM and SIGINT, or these `numbers`, end this process as it is: by default they do not end one that is the first of
    its process namespace."""
    for number in numbers or (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit if os.getpid() == 1 else signal.SIG_DFL)


def _exit(number: int, _frame: object) -> None:
    os._exit(128 + number)


def children() -> set[int]:
    """Process ids of all children of this process, whichever thread made or adopted them."""
    found: set[int] = set()
    for task in _tasks():
        with suppress(OSError):  # the thread has ended meanwhile; another one has its children now
            found.update(int(pid) for pid in (task / "children").read_text().split())
    return found


def threads() -> list[str]:
    """Names of the threads of this process, as the kernel knows them."""
    names = []
    for task in _tasks():
        with suppress(OSError):  # it has ended since it was listed
            names.append((task / "comm").read_text().strip())
    return names


def _tasks() -> Iterator[Path]:
    return Path("/proc/self/task").iterdir()


def kill_with_group(pid: int) -> None:
    """Kills child `pid`, and the process group that it leads if it leads one; one that is gone already is no error."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # gone, or it changed its user: the sandbox's end is its end


def ended_child() -> tuple[int, int] | None:
    """Process id and wait status of one ended child, which stays a zombie, so that its id still names it; or None."""
    try:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if info is None:
        return None
    return info.si_pid, info.si_status if info.si_code == os.CLD_EXITED else -info.si_status


def sweep(known: set[int]) -> int:
    """Kills and reaps every child that is not in `known`; returns how many are left to look at again."""
    unknown = children() - known
    for pid in unknown:
        kill_with_group(pid)
    for pid in unknown:
        reap(pid)
    return len(unknown)


def reap(pid: int) -> None:
    """Takes child `pid` off the process table if it has ended."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def signal_pidfd(pidfd: int) -> None:
    """Kills the process that `pidfd` stands for; nothing happens if it is gone."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass


def describe_status(status: int) -> str:
    """Words for an exit status as `ended_child` gives it: minus the signal, or the exit code."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
