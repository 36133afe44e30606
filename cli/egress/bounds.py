"""What a service can take of the proxy, which all services share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """Times in seconds. The last four are for each service."""

    head_bytes: int = 16 * 1024
    head_seconds: float = 10.0
    connect_seconds: float = 10.0
    """To look a name up and to connect, together."""
    idle_seconds: float = 300.0
    """Without a byte in either direction."""
    connections: int = 64
    per_second: float = 100.0
    """New connections: more wait. So none takes the others' time, or fills the log."""
    burst: int = 200
    lookups: int = 8
    """Names that are looked up at the same time."""
