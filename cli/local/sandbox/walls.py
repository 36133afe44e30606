"""Which walls can be had on this machine: looked at once, when the launcher starts."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cli
from cli.local.sandbox import bubblewrap
from cli.local.sandbox.bubblewrap import Bubblewrap
from cli.local.sandbox.cgroups import Cgroups, Unbounded
from cli.local.sandbox.claims import TASKS
from cli.local.sandbox.hierarchies import HAND_DOWN, PROCS, SUBTREE, Hierarchies, Hierarchy, RealTree, Tree
from cli.local.sandbox.machine import Machine, look_at
from cli.local.sandbox.mounted import Mounted
from cli.local.sandbox.scopes import Scopes

Mode = Literal["required", "best-effort", "none"]
REPOSITORY = Path(cli.__file__).parents[1]
OFF = "sandbox: none is configured"


@dataclass(frozen=True)
class Walls:
    """`box` makes a sandbox on `machine`; where it is None `why_not` says why, and what to do."""

    mode: Mode = "none"
    box: Bubblewrap | None = None
    machine: Machine = field(default_factory=lambda: Machine((), (), ()))
    why_not: str = OFF
    cgroups: Cgroups = field(default_factory=lambda: Unbounded(OFF))
    counted: tuple[str, ...] = ()
    """Bounds that hold in a sandbox also where control groups do not keep them."""


def find(mode: Mode, state: Path) -> Walls:
    """Tries for real what there is. Raises OSError where the state folder cannot be written."""
    if mode == "none":
        return Walls()
    box, why_not = bubblewrap.choose(bubblewrap.candidates(state, REPOSITORY))
    # The host's own limit of processes holds in a user namespace of its own, but never for root.
    counted = () if os.getuid() == 0 else (TASKS,)
    return Walls(mode, box, look_at(state / "sandbox" / "etc"), why_not, find_cgroups(state), counted)


def clear_cgroups(state: Path) -> None:
    """Removes what a launcher of this instance that was killed left."""
    Hierarchies(RealTree(), (), *_instance(state)).clear()


def _instance(state: Path) -> tuple[str, Path]:
    """Its name, and the file that remembers where its groups are."""
    return hashlib.sha256(str(state).encode()).hexdigest()[:12], state / "run" / "cgroups"


def find_cgroups(state: Path) -> Cgroups:
    """The first way that works; what a launcher that was killed left in it is removed."""
    clear_cgroups(state)
    instance, record = _instance(state)
    mounted = Mounted(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    by_folders, why = folders(RealTree(), mounted, instance, record, os.getpid())
    if by_folders is not None:
        return by_folders
    scopes = Scopes(instance)
    if not (failed := scopes.try_out()):
        return scopes
    return Unbounded(
        f"control groups cannot be made here ({why}; {failed.splitlines()[-1]}): start Firebreak as root, from a session of "
        "systemd, or in a group that is delegated to this user"
    )


def folders(tree: Tree, mounted: Mounted, instance: str, record: Path, launcher: int) -> tuple[Hierarchies | None, str]:
    """Groups made in the kernel's file systems, or why there can be none. `launcher` is the process id of this one."""
    why = ""
    for found, is_version2 in ((mounted.version1(), False), (mounted.version2(), True)):
        if found is None:
            continue
        groups = Hierarchies(tree, found, instance, record)
        try:
            if is_version2:
                _make_room(tree, found[0], launcher)
            groups.try_out()
        except OSError as error:
            groups.clear()
            why = why or str(error.strerror or error) + (f": {error.filename}" if error.filename else "")
            continue
        return groups, ""
    return None, why or "no hierarchy with memory, pids and cpu is mounted"


def _make_room(tree: Tree, own: Hierarchy, launcher: int) -> None:
    """Version 2 hands controllers down only from a group without processes: the launcher moves into one below its own.

    Raises OSError, with everything as before, where other processes are there too, or it is not delegated.
    """
    given = tree.read(own.base / SUBTREE).split()
    if {"memory", "pids", "cpu"} <= {*given}:
        return
    if not {"memory", "pids", "cpu"} <= {*tree.read(own.base / "cgroup.controllers").split()}:
        raise OSError(f"{own.base} has not the controllers memory, pids and cpu")
    aside = own.base / "firebreak-launcher"
    tree.make(aside)
    tree.write(aside / PROCS, str(launcher))
    try:
        tree.write(own.base / SUBTREE, HAND_DOWN)
    except OSError:
        with contextlib.suppress(OSError):
            tree.write(own.base / PROCS, str(launcher))
            tree.remove(aside)
        raise
