"""Control groups by their file system: version 1, where each controller has a hierarchy, or version 2, which has one for all.

Groups are made below the launcher's own: what bounds Firebreak as a whole goes on to do so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.local.sandbox.cgroups import WEIGHT, Bounds, Entry, Group

Settings = tuple[tuple[str, str], ...]
PROCS, SUBTREE, HAND_DOWN = "cgroup.procs", "cgroup.subtree_control", "+memory +pids +cpu"
HOST, WORKERS, HAND_TO_WORKERS = "host", "workers", "+pids"
"""Groups inside of a service's own: version 2 wants no process beside them."""
_WEIGHTS = (("cpu.shares", str(1024 * WEIGHT // 100)), ("cpu.weight", str(WEIGHT)))
"""Of all services together, in version 1 and in version 2: there is one of the files, in one of the hierarchies."""
_TRIAL = Bounds(64 * 1024**2, 1.0, 16)
PATIENCE = 5.0
"""Seconds that are waited for the end of what is in a group."""
_PAUSE = 0.01


class Tree(Protocol):
    """A file system of control groups."""

    def make(self, folder: Path) -> None: ...
    def write(self, file: Path, text: str) -> None: ...
    def read(self, file: Path) -> str: ...
    def folders(self, folder: Path) -> list[Path]: ...
    def remove(self, folder: Path) -> None: ...
    def kill(self, pid: int) -> None: ...


class RealTree:
    """The kernel's."""

    def make(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)

    def write(self, file: Path, text: str) -> None:
        # No O_CREAT: a setting that this kernel does not have is an error, not a new file.
        descriptor = os.open(file, os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def read(self, file: Path) -> str:
        return file.read_text()

    def folders(self, folder: Path) -> list[Path]:
        try:
            return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return []

    def remove(self, folder: Path) -> None:
        folder.rmdir()

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Hierarchy:
    """`base` is the launcher's own group there. `wish` are settings that a kernel may lack. `workers` are those of the workers'
    part of a group; without any there are no parts."""

    base: Path
    must: Callable[[Bounds], Settings]
    wish: Callable[[Bounds], Settings]
    workers: Callable[[Bounds], Settings] = lambda _: ()


class Hierarchies:
    """Groups in all of these at once, below a folder with the instance's own name; `record` remembers where they were made."""

    def __init__(
        self, tree: Tree, hierarchies: Iterable[Hierarchy], instance: str, record: Path, patience: float = PATIENCE
    ) -> None:
        self.missing: Mapping[str, str] = {}
        self._tree = tree
        self._hierarchies = tuple(hierarchies)
        self._name = f"firebreak-{instance}"
        self._record = record
        self._patience = patience

    def group(self, name: str, bounds: Bounds) -> Group:
        folders = [(one, one.base / self._name / name) for one in self._hierarchies]
        return FolderGroup(self._tree, folders, bounds, self._patience)

    def clear(self) -> None:
        """What cannot be removed within seconds stays written down, for the next start."""
        with contextlib.suppress(OSError):
            folders = [Path(line) for line in self._record.read_text().splitlines()]
            left = [folder for folder in folders if not self._remove(folder)]
            self._record.write_text("".join(f"{folder}\n" for folder in left))
            if not left:
                self._record.unlink()

    def try_out(self) -> None:
        """Writes down where groups will be, makes the way there, and one group to see that it works. Raises OSError."""
        folders = [one.base / self._name for one in self._hierarchies]
        self._record.write_text("".join(f"{folder}\n" for folder in folders))
        for folder in folders:
            self._tree.make(folder)
            # Version 2 hands its controllers down; version 1 has no such file.
            for file, text in ((SUBTREE, HAND_DOWN), *_WEIGHTS):
                with contextlib.suppress(OSError):
                    self._tree.write(folder / file, text)
        try:
            self.group("trial", _TRIAL).enter()
        finally:
            for folder in folders:
                _is_gone(self._tree, folder / "trial")

    def _remove(self, folder: Path) -> bool:
        """Whether it is gone, with all that is in it; what was killed may take a moment. Others' folders are none of its."""
        if folder.name != self._name:
            return True
        end = time.monotonic() + self._patience
        while True:
            gone = _is_gone(self._tree, folder)
            if gone or time.monotonic() > end:
                return gone
            time.sleep(_PAUSE)


class FolderGroup:
    """One folder in each hierarchy."""

    def __init__(self, tree: Tree, folders: list[tuple[Hierarchy, Path]], bounds: Bounds, patience: float) -> None:
        self._tree = tree
        self._folders = folders
        self._bounds = bounds
        self._patience = patience

    def enter(self) -> Entry:
        for hierarchy, folder in self._folders:
            self._tree.make(folder)
            for name, value in hierarchy.must(self._bounds):
                self._tree.write(folder / name, value)
            for name, value in hierarchy.wish(self._bounds):
                with contextlib.suppress(OSError):
                    self._tree.write(folder / name, value)
        parts = [(folder, hierarchy.workers(self._bounds)) for hierarchy, folder in self._folders]
        files = [self._divided(folder, settings) if settings else folder / PROCS for folder, settings in parts]
        workers = next((folder / WORKERS / PROCS for folder, settings in parts if settings), None)
        return Entry(tuple(files), workers=workers)

    def _divided(self, folder: Path, workers: Settings) -> Path:
        """Makes the two parts of a group; answers how the host comes into its own."""
        with contextlib.suppress(OSError):  # version 1 has no such file
            self._tree.write(folder / SUBTREE, HAND_TO_WORKERS)
        for part, settings in ((HOST, ()), (WORKERS, workers)):
            self._tree.make(folder / part)
            for name, value in settings:
                self._tree.write(folder / part / name, value)
        return folder / HOST / PROCS

    async def leave(self) -> None:
        """What cannot be ended within seconds stays, and is removed at the next start."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                for _, folder in self._folders:
                    while not _is_gone(self._tree, folder):  # noqa: ASYNC110  (the kernel tells nobody)
                        await asyncio.sleep(_PAUSE)


def _is_gone(tree: Tree, folder: Path) -> bool:
    """Ends all that is in a group and its parts, and removes it; False while something is in it, which may have grown."""
    for part in tree.folders(folder):
        _is_gone(tree, part)
    with contextlib.suppress(OSError):
        for pid in tree.read(folder / PROCS).split():
            with contextlib.suppress(ProcessLookupError):
                tree.kill(int(pid))
    try:
        tree.remove(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
