"""Lays hands on other processes: host, zygote and worker of its own service, and those of the machine by number.

`around`: "pids" are processes of this machine as they are numbered outside; "all" tries every number.
"""

import ctypes
import os
import resource
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from attempts import ABSENT, Attempt, NotThere
from calls import call
from firebreak_runtime import landlock
from surroundings import family, is_own, visible

LAST = 32768
SEIZE = 0x4206
"""ptrace(2): attaches without a stop."""
SCOPES_SINCE = 6
"""The version of Landlock that keeps a worker's signals from its own host."""
FIRST = 1


class Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def attempts(around: dict[str, Any]) -> Iterator[Attempt]:
    host, zygote, others = family()
    known = _named(host, zygote, others)
    for pid in around["pids"]:
        yield Attempt(f"signal to process {pid} of the machine", partial(signalled, pid))
    if landlock.abi() >= SCOPES_SINCE:
        if around["all"]:
            yield Attempt(f"signals to 1..{LAST}", anybody)
        for name, pid in known.items():
            yield Attempt(f"signal to {name}", partial(signalled, pid))
            yield Attempt(f"signal to the group of {name}", partial(group_signalled, pid))
    if host == FIRST:
        yield Attempt("SIGKILL to its host", partial(killed, host))
    for name, pid in known.items():
        for what, act in _hands_on(pid):
            yield Attempt(f"{what} {name}", act, frozenset())


def tracing() -> Iterator[Attempt]:
    """What was attached to is let go of when the process that tries ends."""
    for name, pid in _named(*family()).items():
        yield Attempt(f"tracing {name}", partial(through, "ptrace", SEIZE, pid, 0, 0), frozenset())


def _named(host: int, zygote: int, others: list[int]) -> dict[str, int]:
    return {"its host": host, "its zygote": zygote, **{f"worker {pid}": pid for pid in others}}


def _hands_on(pid: int) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "process_vm_readv of", partial(memory, "process_vm_readv", pid)
    yield "process_vm_writev of", partial(memory, "process_vm_writev", pid)
    yield "kcmp with", partial(through, "kcmp", os.getpid(), pid, 0, 0, 0)
    yield "descriptors of", partial(descriptor, pid)
    for name in ("mem", "environ", "maps"):
        yield f"/proc/…/{name} of", partial(opened, f"/proc/{pid}/{name}")
    for name in ("root", "cwd", "fd/0", "fd/1"):
        yield f"/proc/…/{name} of", partial(followed, f"/proc/{pid}/{name}")
    yield "limits of", partial(limits, pid)
    yield "priority of", partial(priority, pid)
    yield "scheduling of", partial(scheduling, pid)


def signalled(pid: int) -> str:
    """Nothing is sent; whether it could be is found out all the same."""
    if pid > 0 and is_own(pid):
        raise NotThere("this number is a process of its own")
    os.kill(pid, 0)
    return "it could be sent"


def group_signalled(pid: int) -> str:
    if (group := os.getpgid(pid)) <= FIRST:
        raise NotThere("a group of another namespace, or of a number that stands for everybody")
    return signalled(-group)


def anybody() -> str:
    """Every number, seen or guessed."""
    found, seen = [], len(visible())
    for pid in range(1, LAST + 1):
        try:
            os.kill(pid, 0)
        except OSError as error:
            if error.errno in ABSENT:
                continue
            found += [] if isinstance(error, PermissionError) else [pid]
        else:
            found += [] if is_own(pid) else [pid]
    if found:
        return f"could be sent to {found[:5]}, {len(found)} in all"
    raise PermissionError(1, f"{seen} seen")


def killed(pid: int) -> str:
    """The first process of a namespace is safe from those in it even where the signal is taken; it answers this very call."""
    os.kill(pid, signal.SIGKILL)
    raise NotThere("taken, and nothing came of it")


def through(name: str, *arguments: int) -> str:
    call(name, *arguments)
    return "done"


def memory(name: str, pid: int) -> str:
    """One byte of where this process has None; what is written there is what is there."""
    room = ctypes.create_string_buffer(ctypes.string_at(id(None), 1), 1)
    own, theirs = Vector(ctypes.addressof(room), 1), Vector(id(None), 1)
    call(name, pid, ctypes.byref(own), 1, ctypes.byref(theirs), 1, 0)
    return "done"


def descriptor(pid: int) -> str:
    """Its standard input, made one of this process."""
    process = call("pidfd_open", pid, 0)
    try:
        os.close(call("pidfd_getfd", process, 0, 0))
    finally:
        os.close(process)
    return "got it"


def opened(path: str) -> str:
    with open(path, "rb", buffering=0):
        return "opened"


def followed(link: str) -> str:
    os.close(os.open(link, os.O_PATH))
    return "followed"


def limits(pid: int) -> str:
    """Who can ask for them like this can change them, and a bound of CPU time is the end of a process."""
    return f"open files: {resource.prlimit(pid, resource.RLIMIT_NOFILE)}"


def priority(pid: int) -> str:
    """What it is already."""
    os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))
    return "set"


def scheduling(pid: int) -> str:
    """What it is already."""
    os.sched_setscheduler(pid, os.sched_getscheduler(pid), os.sched_getparam(pid))
    return "set"
