"""Files and secrets of others. `around`: "files" are read, below "folders" anything is looked for, "secret" must not be found;
"pids" and "all" as surroundings.py takes them."""

import ctypes
import os
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from attempts import Attempt, NotThere
from surroundings import CODE, around_it

EXPECTED = {
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "PWD", "TMPDIR", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM", "FIREBREAK_SECRETS",
}  # fmt: skip
ENTRIES = 5000
"""Entries of folders that are looked at below one folder."""
READ_ALL, SIZE = 3, 10
"""What syslog(2) is asked for: the kernel's messages, and how much room they take."""
libc = ctypes.CDLL(None, use_errno=True)


def attempts(around: dict[str, Any]) -> Iterator[Attempt]:
    pids = around_it(around)
    for path in around["files"]:
        yield Attempt(f"reading {path}", partial(read, path))
        yield Attempt(f"reading {path} by way of /proc/1/root", partial(read, f"/proc/1/root{path}"))
    for folder in around["folders"]:
        yield Attempt(f"files below {folder}", partial(stray, folder))
    for pid in pids:
        yield Attempt(f"reading /proc/{pid}/environ", partial(read, f"/proc/{pid}/environ"))
    yield Attempt("the secret in the environment of `firebreak up`", partial(secret, around["secret"].encode(), pids))
    yield Attempt("variables that nobody expects", variables)
    yield Attempt("folders that were left open", left_open)
    for what, action in (("the kernel's log", READ_ALL), ("the size of the kernel's log", SIZE)):
        yield Attempt(what, partial(kernel_log, action))


def read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        if not os.read(fd, 1):
            raise NotThere("empty")
    finally:
        os.close(fd)
    return "read"


def stray(top: str) -> str:
    """The first file below `top` that can be read and is none of the service's own, nor of its environment."""
    own = {CODE, *(path for path in sys.path if path), sys.prefix, sys.base_prefix}
    own |= {os.path.realpath(path) for path in own}
    left = ENTRIES
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in own]
        left -= len(folders) + len(names)
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path) and not _within(os.path.realpath(path), own) and os.access(path, os.R_OK):
                return f"found {path}"
        if left < 0:
            break
    raise NotThere("nothing")


def _within(path: str, folders: set[str]) -> bool:
    return any(path.startswith(folder.rstrip("/") + "/") for folder in folders)


def secret(value: bytes, pids: list[int]) -> str:
    """Wherever a process keeps its environment and its arguments."""
    for pid in (os.getpid(), *pids):
        for name in ("environ", "cmdline"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    if value in file.read():
                        return f"found in /proc/{pid}/{name}"
            except OSError:
                continue
    raise NotThere("nowhere")


def variables() -> str:
    if found := sorted({*os.environ} - EXPECTED):
        return ", ".join(found)
    raise NotThere("none")


def left_open() -> str:
    """A folder of the machine that is open in a sandbox leads out of it."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            above = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        except OSError:
            continue
        os.close(above)
        return os.readlink(f"/proc/self/fd/{fd}")
    raise NotThere("none")


def kernel_log(action: int) -> str:
    room = ctypes.create_string_buffer(4096)
    if libc.klogctl(action, room, len(room)) < 0:
        raise OSError(ctypes.get_errno(), "klogctl")
    return "told"
