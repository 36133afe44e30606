"""What the walls around a service promise, and who claims it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from firebreak_runtime import landlock, seccomp
from firebreak_runtime.enclose import Enclosed

TESTED = (
    "network",
    "sockets",
    "files",
    "read-only",
    "scratch",
    "environment",
    "processes",
    "privileges",
    "syscalls",
    "landlock",
    "limits",
)
"""Promises that are proven from inside, in the order in which they are told."""
PROMISES = (*TESTED, "memory", "cpu", "tasks")
"""All promises; that the whole service is bounded is for its launcher to prove."""
NOT_ENCLOSED = Enclosed((), {})
_LEANS = {
    "scratch": ("landlock", "without Landlock files can be made elsewhere, as in the folder of the service's socket"),
    "network": ("syscalls", "without a filter of system calls there are sockets that no network namespace holds back"),
}
"""Promises that also take a wall which the host builds: which one, and why. Without it nobody can claim them."""


_UNFILTERED = "whoever started the host promised a filter of system calls around it, and there was none"
_PAST_THE_PROXY = "without Landlock's rules for connections (Linux 6.7) the egress proxy can be gone around"


@dataclass(frozen=True)
class Walls:
    """The promises that somebody `claimed`, those of them that are the host's `own` work, why others are `missing`, and which
    of the claimed are `untrue` as could be seen before the host had walls of its own; reasons are words for people. `counted`:
    the host bounds processes itself."""

    claimed: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    missing: Mapping[str, str] = field(default_factory=dict)
    untrue: Mapping[str, str] = field(default_factory=dict)
    counted: bool = False


def found_untrue(promised: Iterable[str]) -> dict[str, str]:
    """Promises that do not hold, with the reason, of those that the host's own walls would hide: ask before they are built."""
    return {"syscalls": _UNFILTERED} if "syscalls" in promised and not seccomp.filtered() else {}


def walls(
    promised: Iterable[str], enclosed: Enclosed, untrue: Mapping[str, str] | None = None, proxied: bool = False
) -> Walls:
    """What whoever started the host has promised, what was `found_untrue` of it, and how the host has enclosed itself.
    `proxied`: only the host's walls make its workers take the egress proxy, as the network lets it through to where that leads.
    """
    claimed = {*promised, *enclosed.promises}
    missing = {name: why for name, why in enclosed.missing.items() if name not in claimed}
    for name, (wall, why) in _LEANS.items():
        if name in claimed and wall in enclosed.missing:
            claimed.remove(name)
            missing[name] = why
    if proxied and "network" in claimed and not _bounds_connections(enclosed):
        claimed.remove("network")
        missing["network"] = _PAST_THE_PROXY
    return Walls(frozenset(claimed), frozenset(enclosed.promises), missing, untrue or {}, enclosed.counted)


def _bounds_connections(enclosed: Enclosed) -> bool:
    return "landlock" in enclosed.promises and landlock.abi() >= landlock.TCP_SINCE


def path_of(address: str) -> str:
    """The absolute path of "unix:PATH"; "" for any other address."""
    kind, _, path = address.partition(":")
    return str(Path(path).absolute()) if kind == "unix" else ""


def port_of(address: str) -> int:
    """The TCP port of "host:port" or "dns:///host:port"; 0 for a socket of this machine."""
    return 0 if path_of(address) else int(address.rpartition(":")[2])
