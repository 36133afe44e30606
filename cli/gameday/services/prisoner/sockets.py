"""Connects to sockets. `around`: "sockets" are paths, "abstract" names without a path, "tcp" addresses, "own" the folder of its
own socket; "pids" and "all" as surroundings.py takes them, and "all" tries every socket that is lying about."""

import errno
import os
import socket
import stat
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from attempts import ABSENT, Attempt
from network import connect as connect_tcp
from surroundings import around_it

LONGEST = 107
SECONDS = 0.5
NOBODY = ABSENT | {errno.ECONNREFUSED}
FOLDERS = ("/run", "/tmp", "/dev", "/var/run")
ENTRIES = 4000
DOOR = "the door"


def attempts(around: dict[str, Any]) -> Iterator[Attempt]:
    door = sys.argv[sys.argv.index("--gateway") + 1].removeprefix("unix:")
    yield Attempt(DOOR, partial(connect, door), NOBODY)
    own = {os.path.realpath(door), *(f"{folder}/serve.sock" for folder in around["own"])}
    for path in dict.fromkeys((*around["sockets"], *(lying_about(own) if around["all"] else ()))):
        yield Attempt(f"socket {path}", partial(connect, path), NOBODY)
    for pid in around_it(around):
        yield Attempt(f"sockets among the descriptors of process {pid}", partial(descriptors, pid), NOBODY)
        for path in around["sockets"]:
            yield Attempt(
                f"socket {path} by way of /proc/{pid}/root", partial(connect, f"/proc/{pid}/root{path}"), NOBODY
            )
    for name in around["abstract"]:
        yield Attempt(f"abstract socket {name}", partial(connect, "\0" + name), NOBODY)
    for address in around["tcp"]:
        yield Attempt(f"TCP connection to {address}", partial(connect_tcp, address), NOBODY)


def connect(path: str) -> str:
    """However long the path is."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        if len(os.fsencode(path)) <= LONGEST:
            sock.connect(path)
        else:
            held = os.open(path, os.O_PATH)
            try:
                sock.connect(f"/proc/self/fd/{held}")
            finally:
                os.close(held)
    return "connected"


def descriptors(pid: int) -> str:
    """Those of another process, or of this one; a connection that exists is none that was made."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            return f"descriptor {name}: {connect(f'/proc/{pid}/fd/{name}')}"
        except OSError:
            continue
    raise ConnectionRefusedError(errno.ECONNREFUSED, "none of them")


def lying_about(own: set[str]) -> Iterator[str]:
    """Sockets in the folders in which programs put theirs."""
    left = ENTRIES
    for top in FOLDERS:
        for folder, folders, names in os.walk(top):
            left -= len(folders) + len(names)
            for path in (os.path.join(folder, name) for name in names):
                if os.path.realpath(path) not in own and _is_socket(path):
                    yield path
            if left < 0:
                return


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
