"""What a worker gives up before it runs a line of foreign code: memory, descriptors, core dumps, privileges, and
reaching the processes around it. The sandbox around the whole service is the outer wall; this protects host and zygote
from a worker of their own service."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

from firebreak_runtime import landlock, privileges
from firebreak_runtime.limits import limit

DESCRIPTORS = 512
"""Open files of one worker."""


def confine(memory: int, writable: tuple[str, ...] = ()) -> None:
    """Limits this process for good. `memory` is in bytes and counts from what it uses now. Where `writable` names folders, it
    changes files only there: not where its host listens, so that it cannot take the host's place."""
    _limit_memory(memory)
    limit(resource.RLIMIT_NOFILE, DESCRIPTORS)
    limit(resource.RLIMIT_CORE, 0)
    _offer_to_oom_killer()
    privileges.gain_none()
    _keep_to_own_part(writable)


def _offer_to_oom_killer() -> None:
    """Where the whole service runs out of memory the kernel shall pick a worker, not the host."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        pass  # a read-only /proc, or Landlock around the host: the worker's own memory limit still holds


def _limit_memory(memory: int) -> None:
    """Bounds private memory, not address space: allocators and threads reserve far more of the latter than they use. Four
    times the room of addresses still ends a process that maps shared memory without end."""
    private, addresses = memory_in_use()
    limit(resource.RLIMIT_DATA, private + memory)
    limit(resource.RLIMIT_AS, addresses + 4 * memory)


def memory_in_use() -> tuple[int, int]:
    """Bytes of private memory and of address space that this process has now."""
    size, _, _, _, _, data, _ = (int(pages) for pages in Path("/proc/self/statm").read_text().split())
    return data * resource.getpagesize(), size * resource.getpagesize()


def _keep_to_own_part(writable: tuple[str, ...]) -> None:
    """No signal to, and no tracing of, processes that are not descendants; and no file changed elsewhere than there."""
    with suppress(OSError):  # a kernel that answers otherwise than it says: the sandbox around the service still holds
        landlock.restrict(landlock.abi(), landlock.Files(("/",), writable) if writable else None)
