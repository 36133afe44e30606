"""What a worker gives up before it runs a line of foreign code: memory, descriptors, core dumps, privileges, and
reaching the processes around it. The sandbox around the whole service is the outer wall; this protects host and zygote
from a worker of their own service."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

DESCRIPTORS = 512
"""Open files of one worker."""
_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_VERSION = 1
_SCOPES_SINCE_ABI = 6
_SCOPE_ABSTRACT_SOCKETS = 1
_SCOPE_SIGNALS = 2
_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr of linux/landlock.h."""

    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def confine(memory: int) -> None:
    """Limits this process for good; `memory` is in bytes and counts from what it uses now."""
    _limit_memory(memory)
    _limit(resource.RLIMIT_NOFILE, DESCRIPTORS)
    _limit(resource.RLIMIT_CORE, 0)
    _offer_to_oom_killer()
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _keep_to_own_processes()


def _offer_to_oom_killer() -> None:
    """Where the whole service runs out of memory the kernel shall pick a worker, not the host."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        pass  # a read-only /proc: the worker's own memory limit still holds


def _limit_memory(memory: int) -> None:
    """Bounds private memory, not address space: allocators and threads reserve far more of the latter than they use. Four
    times the room of addresses still ends a process that maps shared memory without end."""
    private, addresses = memory_in_use()
    _limit(resource.RLIMIT_DATA, private + memory)
    _limit(resource.RLIMIT_AS, addresses + 4 * memory)


def memory_in_use() -> tuple[int, int]:
    """Bytes of private memory and of address space that this process has now."""
    size, _, _, _, _, data, _ = (int(pages) for pages in Path("/proc/self/statm").read_text().split())
    return data * resource.getpagesize(), size * resource.getpagesize()


def _limit(what: int, value: int) -> None:
    """Sets soft and hard limit, never above the hard limit that holds already."""
    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _keep_to_own_processes() -> bool:
    """No signal to, and no tracing of, processes that are not descendants (Landlock). False on a kernel without it."""
    abi = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if abi < _SCOPES_SINCE_ABI:
        return False
    rules = _Ruleset(0, 0, _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS)
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if ruleset < 0:
        return False
    try:
        return bool(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
