"""A file system of control groups in memory, with a kernel's ways."""

from __future__ import annotations

import errno
from pathlib import Path


class MemoryTree:
    """`folders_` are the groups, `files` what was written where, `inside` the processes of each group.

    Files whose name is in `absent` are not there; a write to one in `refused` fails; a killed process in `stubborn` stays.
    """

    def __init__(self, *folders: str) -> None:
        self.groups = {Path(folder) for folder in folders}
        self.files: dict[Path, str] = {}
        self.inside: dict[Path, list[int]] = {}
        self.absent: set[str] = set()
        self.refused: set[str] = set()
        self.killed: list[int] = []
        self.stubborn: set[int] = set()

    def make(self, folder: Path) -> None:
        if "mkdir" in self.refused or folder.parent not in self.groups:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        self.groups.add(folder)

    def write(self, file: Path, text: str) -> None:
        if file.name in self.absent:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(file))
        if file.name in self.refused:
            raise OSError(errno.EBUSY, "Device or resource busy", str(file))
        self.files[file] = text

    def read(self, file: Path) -> str:
        if file.name == "cgroup.procs":
            return "".join(f"{pid}\n" for pid in self.inside.get(file.parent, []))
        return self.files.get(file, "")

    def folders(self, folder: Path) -> list[Path]:
        return sorted(group for group in self.groups if group.parent == folder)

    def remove(self, folder: Path) -> None:
        if folder not in self.groups:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder))
        if self.inside.get(folder) or self.folders(folder):
            raise OSError(errno.EBUSY, "Device or resource busy", str(folder))
        self.groups.remove(folder)

    def kill(self, pid: int) -> None:
        self.killed.append(pid)
        for pids in self.inside.values():
            if pid in pids and pid not in self.stubborn:
                pids.remove(pid)
