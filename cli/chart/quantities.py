"""Bytes and cores as Kubernetes writes them."""

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
