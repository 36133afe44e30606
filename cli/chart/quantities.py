"""Bytes and cores as Kubernetes writes them; sizes and durations as firebreak.yaml writes them."""

from __future__ import annotations

import math


def memory(size: int) -> str:
    """`size` bytes in the largest unit, at most MiB, that needs no fraction: 1344Mi."""
    for unit, width in (("Mi", 1024**2), ("Ki", 1024)):
        if size % width == 0:
            return f"{size // width}{unit}"
    return str(size)


def cpu(cores: float) -> str:
    """Whole cores, or thousandths rounded up: nothing is finer than one of them."""
    thousandths = math.ceil(round(cores * 1000, 6))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def size(count: int) -> str:
    """`count` bytes in the largest unit that needs no fraction: 64KiB."""
    for unit, width in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if count % width == 0:
            return f"{count // width}{unit}"
    return f"{count}B"


def duration(seconds: float) -> str:
    """`seconds` in the largest unit that needs no fraction, to the millisecond and never less than one: 90s, 30d, 250ms."""
    thousandths = max(1, round(seconds * 1000))
    for unit, width in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if thousandths % width == 0:
            return f"{thousandths // width}{unit}"
    return f"{thousandths}ms"
