"""Gives memory back to the system. Large messages come and go, and by default glibc keeps what they took for good."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Awaitable, Callable
from pathlib import Path

_SETTINGS = ((-3, 256 * 1024), (-1, 1024**2), (-8, 2))
"""M_MMAP_THRESHOLD: larger pieces go back at once. M_TRIM_THRESHOLD: so does more at the heap's end. M_ARENA_MAX."""
_PAGE = 4096
PAUSE = 0.5
GROWTH = 8 * 1024**2
"""Bytes by which the process must have grown before its heap is searched for what nobody uses: that takes milliseconds."""

_libc = ctypes.CDLL(None)


def keep_little() -> None:
    """Has the allocator keep less, from now on; another C library than glibc does as it likes."""
    if hasattr(_libc, "mallopt"):
        for setting, value in _SETTINGS:
            _libc.mallopt(setting, value)


def resident() -> int:
    """Bytes of memory that this process occupies."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def trim() -> None:
    """Gives back what is free anywhere in the heap. Other threads go on, but for those that allocate meanwhile."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


async def trimmed() -> None:
    """As `trim`, while the event loop goes on."""
    await asyncio.to_thread(trim)


async def give_back(
    resident: Callable[[], int] = resident, trim: Callable[[], Awaitable[None]] = trimmed, pause: float = PAUSE
) -> None:
    """Until it is cancelled: trims when the process has grown by GROWTH since the last time."""
    least = resident()
    while True:
        await asyncio.sleep(pause)
        now = resident()
        if now - least > GROWTH:
            await trim()
            least = resident()
        least = min(least, now)
