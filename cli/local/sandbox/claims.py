"""What is promised of a service's process by whoever starts it, and what is not, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

NETWORK, SOCKETS, ENVIRONMENT = "network", "sockets", "environment"
APART = (NETWORK, SOCKETS, "files", "read-only", "scratch", ENVIRONMENT, "processes", "privileges")
"""What namespaces and mounts of its own promise."""
MEMORY, CPU, TASKS = "memory", "cpu", "tasks"
BOUNDS = (MEMORY, CPU, TASKS)
"""What bounds of the whole service promise."""


class NoWall(Exception):
    """A service is not started because a wall around it is required and cannot be had; the text says which, and what to do."""


@dataclass(frozen=True)
class Claims:
    """`promises` are said to hold from outside; `missing` has the others, each with the reason why not, for people."""

    promises: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, object]:
        """As the state file has it."""
        return {"promises": list(self.promises), "missing": dict(self.missing)}


def claims(kept: Iterable[str], missing: Mapping[str, str]) -> Claims:
    """Those of every promise that are `kept` and not `missing`, in the order in which all are known."""
    held = {*kept} - missing.keys()
    return Claims(tuple(name for name in (*APART, *BOUNDS) if name in held), missing)


def reasons(missing: Mapping[str, str]) -> str:
    """One sentence for all that share a reason: "memory, cpu: REASON; network: REASON"."""
    names: dict[str, list[str]] = {}
    for name, why in missing.items():
        names.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(sharing)}: {why}" for why, sharing in names.items())
