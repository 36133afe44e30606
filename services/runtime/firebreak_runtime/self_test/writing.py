"""Makes files, and opens for writing what is there: in the code and the system, and wherever something is mounted writable."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

from firebreak_runtime.self_test.asked import Asked, words
from firebreak_runtime.self_test.mounts import Mount, mounts

_SYSTEM = ("/", "/usr", "/usr/bin", "/usr/lib", "/bin", "/lib", "/etc", "/opt", "/dev", "/sys/fs/cgroup")
_KNOBS = (
    "/etc/passwd",
    "/etc/ld.so.cache",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sysrq-trigger",
    "/sys/kernel/uevent_helper",
)
"""Opened for writing only: nothing is written."""
_USUAL = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/dev/mqueue")
_FOLDERS = 256
"""Folders of one mount that are tried."""
_MEMORY = ("tmpfs", "ramfs")
_ROUNDING = 1.05


def changed(asked: Asked) -> str:
    """Parts of the code and the system that can be changed."""
    folders = dict.fromkeys((*asked.code, *sys.path, sys.prefix, sys.base_prefix, *_SYSTEM))
    files = (
        *(os.path.join(folder, "service.yaml") for folder in asked.code),
        os.path.realpath(sys.executable),
        *_KNOBS,
    )
    found = [folder for folder in folders if os.path.isdir(folder) and makes_file(folder)]
    return words("could write to", found + [path for path in dict.fromkeys(files) if _opens_for_writing(path)])


def unbounded(asked: Asked) -> str:
    """Folders in which files can be made without end."""
    home = os.environ.get("HOME", "/")
    found = [_why(folder, kind, asked.scratch) for folder, kind in _writable((*_USUAL, home, os.getcwd()))]
    return words("could fill", [why for why in found if why])


def makes_file(folder: str) -> bool:
    """Whether a file can be made there; it is gone again at once."""
    path = os.path.join(folder, f".firebreak-self-test-{os.getpid()}")
    with suppress(OSError, ValueError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with suppress(OSError):
            os.unlink(path)
        return True
    return False


def _opens_for_writing(path: str) -> bool:
    with suppress(OSError, ValueError):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False


def _writable(usual: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Folders in which a file could be made, one for each mount, with the kind of file system."""
    known = sorted(mounts(), key=lambda mount: len(mount.path), reverse=True)
    tried = {mount.path: mount for mount in known if mount.writable}
    for folder in map(os.path.realpath, usual):
        mount = next((mount for mount in known if _holds(mount, folder)), None)
        if mount is not None and mount.path in tried and makes_file(folder):
            del tried[mount.path]
            yield folder, mount.kind
    for mount in tried.values():
        for folder in _folders(mount, {other.path for other in known}):
            if makes_file(folder):
                yield folder, mount.kind
                break


def _holds(mount: Mount, folder: str) -> bool:
    return folder == mount.path or folder.startswith(mount.path.rstrip("/") + "/")


def _folders(mount: Mount, others: set[str]) -> Iterator[str]:
    """The mount's own folders, from the top down; what is mounted below has its turn by itself."""
    waiting, left = [mount.path], _FOLDERS
    for folder in waiting:
        yield folder
        with suppress(OSError), os.scandir(folder) as entries:
            below = [
                entry.path for entry in entries if entry.is_dir(follow_symlinks=False) and entry.path not in others
            ]
            waiting += below[: left - len(waiting)] if left > len(waiting) else []


def _why(folder: str, kind: str, bound: int) -> str:
    if kind not in _MEMORY:
        return f"{folder} (a disk: {kind})"
    sizes = os.statvfs(folder)
    size = sizes.f_blocks * sizes.f_frsize
    if size == 0:
        return f"{folder} (no size set)"
    return f"{folder} ({size >> 20} MiB)" if bound and size > bound * _ROUNDING else ""
