"""The file system that a service sees, as arguments of bubblewrap: its own code, its environment, and what it must reach."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.local.sandbox.machine import SYSTEM, Machine

INSIDE = "/run/firebreak"
TMP = Path("/tmp")  # noqa: S108  (the sandbox's own)
_SMALL = "65536"
_LOCKED = "4096"


@dataclass(frozen=True)
class Place:
    """Where the things of one process are on this machine; absolute paths without links but for `python`'s.

    `root` is the folder that it would be started in without a sandbox, `python` the folders of the installation that `env` is
    made from, `own` the folder that it listens in, None for one on the port `listen`; `door` is the gateway's socket, `egress`
    the folder of the egress proxy's. Nothing of `state` is shown but what is named here.
    """

    root: Path
    state: Path
    service: Path
    env: Path
    python: tuple[Path, ...]
    listen: str
    own: Path | None
    door: Path
    token: Path
    secrets: Path
    egress: Path | None
    home: Path


def files(place: Place, machine: Machine, reads: Iterable[Path], scratch: int) -> tuple[str, ...]:
    """Everything that is mounted. Shown read-only: `reads`, by their own names; writable: `scratch` bytes in /tmp."""
    shown = {place.service, place.env, *reads, *(path for path in place.python if not _is_system(path))}
    hidden = {*_shelters(shown), *([place.state] if _shows(shown, place.state) else [])}
    return (
        *("--size", _SMALL, "--tmpfs", "/", *machine.system, *machine.proc, *machine.devices),
        *("--size", str(scratch), "--tmpfs", "/dev/shm", "--size", str(scratch), "--tmpfs", str(TMP)),  # noqa: S108
        *_bound(shown, hidden),
        *_firebreak(place),
        *(word for path in ("/", *sorted(map(str, hidden))) for word in ("--remount-ro", path)),
    )


def _bound(shown: set[Path], hidden: set[Path]) -> Iterator[str]:
    """Folders before what is in them."""
    for path in sorted(shown | hidden, key=lambda path: path.parts):
        if path in hidden:
            yield from ("--size", _SMALL, "--tmpfs", str(path))
        else:
            yield from ("--ro-bind", str(path), str(path))


def _shelters(shown: Iterable[Path]) -> set[Path]:
    """Folders that lead to what is shown below the writable /tmp: the service shall not move them and put others there."""
    below = (path.relative_to(TMP).parts[0] for path in shown if path != TMP and path.is_relative_to(TMP))
    return {TMP / name for name in below} - {*shown}


def _is_system(path: Path) -> bool:
    return path.parts[1] in SYSTEM


def _shows(shown: Iterable[Path], state: Path) -> bool:
    return any(state.is_relative_to(path) for path in (*shown, *(Path("/", name) for name in SYSTEM)))


def _firebreak(place: Place) -> Iterator[str]:
    folders = {"door": place.door.parent, "identity": place.token.parent, "secrets": place.secrets}
    if place.egress is not None:
        folders["egress"] = place.egress
    for name, folder in folders.items():
        yield from ("--ro-bind", str(folder), f"{INSIDE}/{name}")
    if place.own is not None:
        yield from ("--bind", str(place.own), f"{INSIDE}/own")
    yield from ("--size", _LOCKED, "--tmpfs", f"{INSIDE}/locked")


def readable(place: Place, reads: Iterable[Path]) -> list[Path]:
    """What the process must read where it has no file system of its own."""
    system = [Path("/", name) for name in (*SYSTEM, "etc", "proc", "dev")]
    folders = [place.door.parent, place.token.parent, place.secrets, *([place.egress] if place.egress else [])]
    own = [place.own] if place.own is not None else []
    return [*system, *place.python, place.env, place.service, *folders, *own, *reads]


def near(place: Place, path: Path) -> str:
    """A path as it is shortest for a process that is started in `root`: a socket's has room for 107 bytes."""
    return min(str(path), os.path.relpath(path, place.root), key=len)
