"""Reads files: those that the gateway names, those that every machine keeps to itself, and whatever is there beside the
service's own and the system's."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress

from firebreak_runtime.self_test.asked import Asked, words

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/proc", "/sys", "/dev", "/tmp")
"""What every process needs; what is secret in there is tried by name."""
_SECRET = (
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/kubernetes",
    "/proc/kcore",
    "/dev/mem",
    "/dev/kmsg",
    "/root/.ssh",
    "/root/.bash_history",
)
_NULL = os.makedev(1, 3)
_MOST = 8
_ENTRIES = 20_000
"""Entries of folders that are looked at in all."""


def read(asked: Asked) -> str:
    """Files that can be opened for reading and must not."""
    own = _with_real((*asked.own, *asked.code, *SYSTEM, *interpreter()))
    found = [path for path in (*_SECRET, *asked.files) for path in _readable(path, own)]
    found += [*_disks(), *_foreign("/", own)]
    return words("could read", list(dict.fromkeys(found)))


def interpreter() -> tuple[str, ...]:
    """Folders that this Python and its packages are in."""
    return sys.prefix, sys.base_prefix, *(path for path in sys.path if path)


def _with_real(paths: tuple[str, ...]) -> frozenset[str]:
    """The same paths, and what they lead to."""
    return frozenset(form for path in paths if path != "/" for form in (os.path.normpath(path), os.path.realpath(path)))


def _readable(path: str, own: frozenset[str]) -> Iterator[str]:
    """The path, if it is a file; of a folder what is in it."""
    if os.path.isdir(path):
        yield from _foreign(path, own)
    elif _opens(path):
        yield path


def _foreign(top: str, own: frozenset[str]) -> Iterator[str]:
    """The first files below `top` that can be read and are not below a path of `own`."""
    folders, left, found = [top], _ENTRIES, 0
    while folders and left > 0:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                left -= 1
                if entry.path in own or entry.is_symlink():  # a link is judged by where it leads, there
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and _opens(entry.path):
                    yield entry.path
                    found += 1
                    if found == _MOST:
                        return


def _disks() -> Iterator[str]:
    """Whole disks, as files of /dev."""
    with suppress(OSError), os.scandir("/dev") as entries:
        for entry in entries:
            if stat.S_ISBLK(entry.stat(follow_symlinks=False).st_mode) and _opens(entry.path):
                yield entry.path


def _opens(path: str) -> bool:
    """Whether there is something to read; container runtimes put /dev/null in the place of a file that they hide."""
    with suppress(OSError, ValueError):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return os.fstat(fd).st_rdev != _NULL
        finally:
            os.close(fd)
    return False
