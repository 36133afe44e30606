"""Limits of the kernel on one process and what it starts."""

from __future__ import annotations

import resource


def limit(what: int, value: int) -> None:
    """Sets soft and hard limit of RLIMIT_… `what` for good, never above the hard limit that holds already."""
    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))
