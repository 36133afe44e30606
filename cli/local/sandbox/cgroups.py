"""Bounds of a whole service, kept by the kernel's control groups: memory, share of the CPU, number of processes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cli.local.sandbox.claims import BOUNDS

_PERIOD = 10_000
"""Microseconds after which a share of the CPU begins anew: short, so that who has used it up does not wait for long."""
WEIGHT = 25
"""Percent of the usual, of all services together or, with systemd, of each: where CPU is short, the gateway comes first."""
_HOSTS_PART, _MOST_OF_HOST = 4, 32
_LEAST_QUOTA = 1000
_LONGEST_PERIOD = 1_000_000


@dataclass(frozen=True)
class Bounds:
    """`memory` in bytes, `cpus` in cores' worth of time, `processes` count threads too."""

    memory: int
    cpus: float
    processes: int

    @property
    def quota(self) -> tuple[int, int]:
        """Microseconds of CPU time in each period, and the period: 10 ms unless the kernel's least quota asks for more."""
        period = min(max(_PERIOD, math.ceil(_LEAST_QUOTA / self.cpus)), _LONGEST_PERIOD)
        return max(_LEAST_QUOTA, round(self.cpus * period)), period

    @property
    def of_workers(self) -> int:
        """Processes that workers and what they start may be together. A quarter, 32 at most, is left to their host: a host that
        gets no thread any more answers nobody, and could not end what took them all."""
        return self.processes - min(self.processes // _HOSTS_PART, _MOST_OF_HOST)


@dataclass(frozen=True)
class Entry:
    """How a process comes into its group: it writes its id into `files`, or starts with `prefix` in `environment`.

    `workers`, where there is one, is the file of a group inside of it for the host's workers: the host is handed it open.
    """

    files: tuple[Path, ...] = ()
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: Path | None = None


class Group(Protocol):
    """The bounds around one process and all that it starts."""

    def enter(self) -> Entry:
        """Makes the group. Raises OSError."""

    async def leave(self) -> None:
        """Ends what is still in the group, and removes it."""


class Cgroups(Protocol):
    """Makes groups. `missing` are those of memory, cpu and tasks that cannot be bounded here, with the reason."""

    @property
    def missing(self) -> Mapping[str, str]: ...

    def group(self, name: str, bounds: Bounds) -> Group:
        """For the process with this name, which no other has."""

    def clear(self) -> None:
        """Removes what this launcher and any before it that was killed left."""


class Unbounded:
    """There is no way to bound a service here: groups of nothing. It is its own group."""

    def __init__(self, why: str) -> None:
        self.missing = dict.fromkeys(BOUNDS, why)

    def group(self, name: str, bounds: Bounds) -> Group:  # noqa: ARG002  (the port's)
        return self

    def clear(self) -> None:
        """There is nothing."""

    def enter(self) -> Entry:
        return Entry()

    async def leave(self) -> None:
        """There is nothing."""
