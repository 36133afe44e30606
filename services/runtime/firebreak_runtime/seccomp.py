"""The system calls that are refused to a service: new namespaces, mounts, other processes' memory, sockets of the internet, and
what only concerns the machine. What is left keeps Python, gRPC and their libraries whole."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

from firebreak_runtime.bpf import Block, answer, encode, if_above, if_any_bit, if_equal, if_other, keep, load
from firebreak_runtime.syscalls import CALLS, LAST, MACHINES, Call

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_MODE_FILTER = 1
_ALL_THREADS = 1
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_ALLOWED = answer(0x7FFF0000)
_KILL = answer(0x80000000)
_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID and -NET; clone itself cannot make a time namespace."""
_QUERY = 0xFFFFFFFF
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_UNIX, _INET, _INET6 = 1, 2, 10
_STREAM, _TYPE = 1, ~0x80800 & 0xFFFFFFFF
"""The type of a socket comes with SOCK_NONBLOCK and SOCK_CLOEXEC in the same word."""
_ANY_PROTOCOL, _TCP = 0, 6
_FAST_OPEN = 0x20000000
_PRIO_USER, _IOPRIO_USER = 2, 3

_libc = ctypes.CDLL(None, use_errno=True)


def filtered() -> bool:
    """Whether a filter of system calls is around this process already."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return any(line.startswith("Seccomp:") and line.split()[1] == "2" for line in lines)


class UnknownMachine(Exception):
    """There is no filter for it; the text names it."""


class _Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def machine() -> str:
    """The machine that this process's system calls are those of."""
    name = os.uname().machine
    return name if sys.maxsize > 2**32 else f"{name} in 32 bits"


def program(machine: str, internet: bool) -> bytes:
    """The filter for a machine as `machine()` names it; `internet` leaves TCP sockets. Raises UnknownMachine."""
    if machine not in MACHINES:
        raise UnknownMachine(machine)
    known = [
        *load(_ARCHITECTURE_AT),
        *if_other(_ARCHITECTURE[machine], _KILL),
        *load(_NUMBER_AT),
        *if_above(LAST, _error(errno.ENOSYS)),
    ]
    for call in CALLS:
        if machine in call.numbers:
            known += if_equal(call.numbers[machine], _answer(call, internet))
    return encode([*known, *_ALLOWED])


def install(program: bytes) -> None:
    """Puts a filter on all threads of this process, and on whatever they start, for good. Raises OSError where the kernel takes
    none, and where neither no-new-privileges is set nor the process may do without."""
    filter_ = _Program(len(program) // 8, program)
    number = _SECCOMP[os.uname().machine]
    result = _libc.syscall(number, _MODE_FILTER, _ALL_THREADS, ctypes.byref(filter_))
    if result != 0:  # above 0 it is the thread that could not be reached
        error = ctypes.get_errno() if result < 0 else errno.EBUSY
        raise OSError(error, os.strerror(error))


def _answer(call: Call, internet: bool) -> Block:
    if call.answer == "judged":
        return _judged(internet)[call.name]
    return _error(errno.ENOSYS if call.answer == "absent" else errno.EPERM)


def _judged(internet: bool) -> dict[str, Block]:
    refused, family = _error(errno.EPERM), _error(errno.EAFNOSUPPORT)
    tcp = _tcp(family) if internet else family
    return {
        "clone": [*_argument(0), *if_any_bit(_NEW_NAMESPACES, refused), *_ALLOWED],
        "personality": [*_argument(0), *if_equal(_QUERY, _ALLOWED), *refused],
        "ioctl": [*_argument(1), *if_equal(_TIOCSTI, refused), *if_equal(_TIOCLINUX, refused), *_ALLOWED],
        "prlimit64": _only_itself(0),
        "setpriority": [*_argument(0), *if_equal(_PRIO_USER, refused), *_only_itself(1)],
        "sched_setscheduler": _only_itself(0),
        "sched_setparam": _only_itself(0),
        "sched_setattr": _only_itself(0),
        "ioprio_set": [*_argument(0), *if_equal(_IOPRIO_USER, refused), *_only_itself(1)],
        "socketpair": [*_argument(0), *if_equal(_UNIX, _ALLOWED), *family],
        "socket": [*_argument(0), *if_equal(_UNIX, _ALLOWED), *if_equal(_INET, tcp), *if_equal(_INET6, tcp), *family],
        "sendto": _no_fast_open(3),
        "sendmsg": _no_fast_open(2),
        "sendmmsg": _no_fast_open(3),
    }


def _tcp(otherwise: Block) -> Block:
    """TCP proper. Landlock's rules on ports do not see MPTCP, SCTP and SMC, which are stream sockets as well."""
    protocol = [*_argument(2), *if_equal(_ANY_PROTOCOL, _ALLOWED), *if_equal(_TCP, _ALLOWED), *otherwise]
    return [*_argument(1), *keep(_TYPE), *if_equal(_STREAM, protocol), *otherwise]


def _no_fast_open(flags: int) -> Block:
    """Sending with MSG_FASTOPEN connects without Landlock being asked; it is answered as where fast open is switched off."""
    return [*_argument(flags), *if_any_bit(_FAST_OPEN, _error(errno.EOPNOTSUPP)), *_ALLOWED]


def _only_itself(pid: int) -> Block:
    """Limits and scheduling of processes of the same user need no privilege: a bound of CPU time would end the host."""
    return [*_argument(pid), *if_equal(0, _ALLOWED), *_error(errno.EPERM)]


def _argument(index: int) -> Block:
    """The lower half, which is all that the kernel looks at in the arguments that are judged here."""
    return load(_ARGUMENTS_AT + 8 * index)


def _error(number: int) -> Block:
    return answer(0x00050000 | number)
