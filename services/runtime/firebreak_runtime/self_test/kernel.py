"""Asks the kernel for what it must refuse: capabilities, system calls, and what Landlock and the limits forbid."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firebreak_runtime import landlock as rules
from firebreak_runtime.confine import DESCRIPTORS
from firebreak_runtime.self_test.asked import Asked, words
from firebreak_runtime.self_test.writing import makes_file
from firebreak_runtime.syscalls import CALLS

_REFUSED = (errno.EPERM, errno.ENOSYS, errno.EACCES, errno.EAFNOSUPPORT)
_NEW_USER = 0x10000000
_NEW_NET = 0x40000000
_TRACE_SEIZE = 0x4206
_NOBODY = 2**22 + 1
"""A process id that there cannot be."""
_SCOPES_SINCE = 6
_MPTCP = 262
_ROOM = 64 * 1024**2
_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {call.name: call.numbers.get(os.uname().machine, -1) for call in CALLS}


def privileges(_: Asked) -> str:
    """Capabilities, and whether a program could give more of them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    held = [name for name in ("CapEff", "CapPrm", "CapInh", "CapAmb") if int(status[name], 16)]
    return words("has", [f"capabilities ({name} {status[name].strip()})" for name in held]) or (
        "" if status["NoNewPrivs"].strip() == "1" else "programs can give it new privileges"
    )


def limits(asked: Asked) -> str:
    """Bounds of descriptors, core dumps and memory that are not there."""
    found = []
    if not _runs_out(DESCRIPTORS + 1):
        found.append("files without end")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:
        found.append("core dumps")
    with suppress(OSError, ValueError):
        mmap.mmap(-1, asked.memory + _ROOM, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        found.append(f"more than {asked.memory >> 20} MiB of memory")
    return words("got", found)


def _runs_out(most: int) -> bool:
    """Whether so many descriptors cannot be had."""
    held: list[int] = []
    try:
        while len(held) < most:
            held.append(os.dup(0))
    except OSError:
        return True
    finally:
        for fd in held:
            os.close(fd)
    return False


def landlock(asked: Asked) -> str:
    """What only Landlock refuses, as far as this kernel's version of it goes."""
    abi = rules.abi()
    found = [f"a file in {folder}" for folder in asked.guarded if makes_file(folder)]
    if abi >= _SCOPES_SINCE:
        with suppress(PermissionError):
            os.kill(asked.host, 0)
            found.append("a signal to its host")
        if asked.abstract and _connects(asked.abstract):
            found.append("a socket of its host that has no path")
    if abi >= rules.TCP_SINCE and _tries_tcp():
        found.append("a connection to 127.0.0.1:1")
    return words("got", found) if abi else "found a kernel without Landlock"


def _connects(abstract: str) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            sock.connect("\0" + abstract)
        except OSError as error:
            return error.errno not in (*_REFUSED, errno.ECONNREFUSED)
    return True


def _tries_tcp() -> bool:
    """Whether a connection gets as far as the network."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", 1))
    except OSError as error:
        return error.errno not in _REFUSED
    return True


def syscalls(asked: Asked) -> str:
    """System calls that got as far as the kernel's own judgement. Arguments are such that nothing comes of them there, except
    of a new namespace, which a process of its own tries."""
    tries: dict[str, Callable[[], int]] = {
        "mount": lambda: _libc.mount(None, b"/nowhere", None, ctypes.c_ulong(0x1000), None),
        "ptrace": lambda: _libc.ptrace(_TRACE_SEIZE, _NOBODY, None, None),
        "io_uring_setup": lambda: _call("io_uring_setup", 1, None),
        "keyctl": lambda: _call("keyctl", 0xFFFF, 0, 0, 0, 0),
        "bpf": lambda: _call("bpf", 0xFFFF, None, 0),
        "process_vm_readv": lambda: _call("process_vm_readv", _NOBODY, None, 0, None, 0, 0),
        "clone3": lambda: _call("clone3", None, 0),
        "setns": lambda: _call("setns", -1, 0),
        "userfaultfd": lambda: _call("userfaultfd", 0xFFFF),
    }
    found = [name for name, attempt in tries.items() if _passes(attempt)]
    found += [f"a new {name} namespace" for name, flag in (("user", _NEW_USER), ("network", _NEW_NET)) if _leaves(flag)]
    return words("got through to", found + _families(asked.tcp))


def _call(name: str, *arguments: object) -> int:
    """On a machine whose numbers are not known nothing is called, as if it were refused."""
    return int(_libc.syscall(_NUMBERS[name], *arguments)) if _NUMBERS[name] >= 0 else -1


def _passes(attempt: Callable[[], int]) -> bool:
    ctypes.set_errno(errno.EPERM)
    return attempt() >= 0 or ctypes.get_errno() not in _REFUSED


def _leaves(flag: int) -> bool:
    """Whether a process gets into a new namespace of this kind."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(_libc.unshare(flag) == 0)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def _families(tcp: bool) -> list[str]:
    """Kinds of sockets that can be made, other than Unix sockets and, where they are left to the service, TCP."""
    kinds: dict[str, tuple[int, ...]] = {
        "UDP sockets": (socket.AF_INET, socket.SOCK_DGRAM),
        "netlink sockets": (socket.AF_NETLINK, socket.SOCK_RAW),
        "vsock sockets": (socket.AF_VSOCK, socket.SOCK_STREAM),
        "MPTCP sockets": (socket.AF_INET, socket.SOCK_STREAM, _MPTCP),
        "kernel crypto sockets": (socket.AF_ALG, socket.SOCK_SEQPACKET),
        **({} if tcp else {"TCP sockets": (socket.AF_INET, socket.SOCK_STREAM)}),
    }
    found = []
    for name, kind in kinds.items():
        with suppress(OSError):
            socket.socket(*kind).close()
            found.append(name)
    return found
