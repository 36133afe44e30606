"""Connects to Unix sockets: those that the gateway names, those that machines usually have, and those that are lying about."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from firebreak_runtime.self_test.asked import Asked, words
from firebreak_runtime.self_test.mounts import mounts

_USUAL = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
    "/run/systemd/journal/socket",
    "/run/nscd/socket",
    "/tmp/.X11-unix/X0",
)
_FOLDERS = ("/run", "/tmp", "/dev", "/var/run")
_MOST = 256
_ENTRIES = 4096
"""Entries of folders that are looked at in all."""
_NOBODY = frozenset(
    (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ECONNREFUSED, errno.ELOOP, errno.ENAMETOOLONG)
)
"""There is no such socket, it may not be used, or nobody listens at it."""


def reached(asked: Asked) -> str:
    """Sockets that somebody listens at, beside those that the service is there to use."""
    doors = {os.path.realpath(door) for door in asked.doors} | set(asked.doors)
    paths = (*asked.sockets, *_USUAL, *_lying_about(), *_mounted())
    known = dict.fromkeys(path for path in paths if path not in doors and os.path.realpath(path) not in doors)
    abstract = [name for name in _without_path() if name != "\0" + asked.abstract]
    found = [path for path in (*known, *abstract) if _listens(path)]
    return words("connected to", [path.replace("\0", "@") for path in found])


def _listens(path: str) -> bool:
    """Whether a connection can be made, or could if this were the right kind of socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except OSError as error:
            return os.path.exists(path) if error.errno is None else error.errno not in _NOBODY
    return True


def _lying_about() -> Iterator[str]:
    """Paths of sockets below the folders in which programs put theirs."""
    left, folders = _ENTRIES, list(_FOLDERS)
    found = 0
    while folders and left > 0 and found < _MOST:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                left -= 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not entry.is_file(follow_symlinks=False) and _is_socket(entry.path):
                    found += 1
                    yield entry.path


def _mounted() -> Iterator[str]:
    """A socket can be mounted like a file, anywhere."""
    return (mount.path for mount in mounts() if _is_socket(mount.path))


def _is_socket(path: str) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(os.stat(path).st_mode)
    return False


def _without_path() -> list[str]:
    """Abstract sockets of this network, under the names by which they are connected to."""
    with suppress(OSError):
        lines = Path("/proc/self/net/unix").read_text(errors="surrogateescape").splitlines()[1:]
        names = {parts[7] for line in lines if len(parts := line.split(maxsplit=7)) == 8 and parts[7].startswith("@")}
        return ["\0" + name[1:] for name in sorted(names)[:_MOST]]
    return []
