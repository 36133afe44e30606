"""Asks the kernel for what only the machine's owner may have. Each attempt is in a process of its own, which ends with it;
what would not end with it is asked for in a way that is judged but cannot be done."""

import ctypes
import errno
import os
import signal
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from attempts import REFUSED, Attempt
from calls import call, checked, libc

NAMESPACES = {
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "network": 0x40000000,
    "time": 0x80,
}
NO_MORE = REFUSED | {errno.ENOSPC}
"""The bound of namespaces is 0."""
NOT_MAPPED = REFUSED | {errno.EINVAL}
"""There is no such user in this namespace."""
REMOUNT_BIND, DETACH = 0x1020, 2
HERE, CLONE_TREE = -100, 1
CAPABILITIES_3, SYS_ADMIN = 0x20080522, 1 << 21


def attempts(around: dict[str, Any]) -> Iterator[Attempt]:
    for name, flag in NAMESPACES.items():
        yield Attempt(f"unshare: a {name} namespace", partial(unshare, flag), frozenset(), NO_MORE)
    yield Attempt("clone into a user namespace", clone, frozenset(), NO_MORE)
    for name in ("net", "mnt", "user", "pid"):
        yield Attempt(f"setns to its own {name} namespace", partial(setns, name), frozenset())
    for what, act in CALLS.items():
        yield Attempt(what, act, frozenset())
    for what, act in USERS.items():
        yield Attempt(what, act, frozenset(), NOT_MAPPED)


@contextmanager
def folder() -> Iterator[str]:
    """Of its own; gone again afterwards."""
    path = os.path.join(os.path.expanduser("~"), f"fb-{os.getpid()}")
    os.mkdir(path)
    try:
        yield path
    finally:
        os.rmdir(path)


def unshare(flag: int) -> str:
    checked(libc.unshare(flag))
    return "made"


def clone() -> str:
    if (pid := call("clone", NAMESPACES["user"] | signal.SIGCHLD, 0, 0, 0, 0)) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "made"


def setns(name: str) -> str:
    checked(libc.setns(os.open(f"/proc/self/ns/{name}", os.O_RDONLY), 0))
    return "entered"


def mount() -> str:
    """A tmpfs on a folder of its own."""
    with folder() as path:
        checked(libc.mount(b"none", path.encode(), b"tmpfs", ctypes.c_ulong(0), None))
        libc.umount2(path.encode(), DETACH)
    return "mounted"


def remount() -> str:
    """A folder that is no mount, writable: judged, and then refused by everybody."""
    with folder() as path:
        checked(libc.mount(None, path.encode(), None, ctypes.c_ulong(REMOUNT_BIND), None))
    return "done"


def unmount() -> str:
    with folder() as path:
        checked(libc.umount2(path.encode(), 0))
    return "done"


def chroot() -> str:
    """To where it is already."""
    os.chroot("/")
    return "done"


def device() -> str:
    """The first disk, in a folder of its own."""
    with folder() as path:
        os.mknod(f"{path}/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
        os.unlink(f"{path}/disk")
    return "made"


def capset() -> str:
    """One of those that its owner may have."""
    header = struct.pack("=Ii", CAPABILITIES_3, 0)
    checked(libc.capset(header, struct.pack("=6I", SYS_ADMIN, SYS_ADMIN, 0, 0, 0, 0)))
    return "got it"


def capabilities() -> str:
    """The bounding set is what programs may be given; without new privileges that is nothing."""
    lines = [line.split() for line in Path("/proc/self/status").read_text().splitlines()]
    held = [line[0] for line in lines if line[0].startswith("Cap") and line[0] != "CapBnd:" and int(line[1], 16)]
    if held:
        return " ".join(held)
    raise PermissionError(errno.EPERM, "none")


def gains() -> str:
    if "NoNewPrivs:\t1" in Path("/proc/self/status").read_text():
        raise PermissionError(errno.EPERM, "no new privileges")
    return "a program may have more privileges than this one"


def asked(name: str, *arguments: object) -> Callable[[], str]:
    """A system call whose arguments do no harm."""

    def ask() -> str:
        call(name, *arguments)
        return "done"

    return ask


CALLS: dict[str, Callable[[], str]] = {
    "mount of a tmpfs": mount,
    "remount": remount,
    "unmount": unmount,
    "chroot": chroot,
    "mknod of a disk": device,
    "capset": capset,
    "capabilities": capabilities,
    "new privileges": gains,
    "pivot_root": asked("pivot_root", b"/nowhere", b"/nowhere"),
    "fsopen": asked("fsopen", b"tmpfs", 0),
    "open_tree": asked("open_tree", HERE, b"/", CLONE_TREE),
    "mount_setattr": asked("mount_setattr", HERE, b"/nowhere", 0, bytes(32), 32),
    "clone3": asked("clone3", None, 0),
    "io_uring_setup": asked("io_uring_setup", 1, bytes(120)),
    "keyctl": asked("keyctl", 0, -3, 0),
    "add_key": asked("add_key", b"user", b"fb", b"x", 1, -2),
    "bpf": asked("bpf", 0, struct.pack("=4I", 2, 4, 4, 1) + bytes(56), 72),
    "perf_event_open": asked(
        "perf_event_open", struct.pack("=IIQQQQQ", 1, 64, 0, 0, 0, 0, 0x60) + bytes(16), 0, -1, -1, 0
    ),
    "userfaultfd": asked("userfaultfd", 1),
    "init_module": asked("init_module", None, 0, b""),
    "kexec_load": asked("kexec_load", 0, 0x7FFFFFFF, None, 0),
    "reboot with a wrong number": asked("reboot", 0, 0, 0, None),
    "swapon": asked("swapon", b"/nowhere", 0),
}
USERS: dict[str, Callable[[], str]] = {
    "setuid to another user": lambda: _done(os.setuid(os.getuid() + 1)),
    "setgid to another group": lambda: _done(os.setgid(os.getgid() + 1)),
    "setgroups": lambda: _done(os.setgroups([os.getgid() + 1])),
}


def _done(_: None) -> str:
    return "done"
