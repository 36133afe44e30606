"""Sockets of a service's processes: each listens in a folder of its own, and the configured address leads to the one in use.

So a new process can be started beside the one in use, and take its place in one step. A sandbox shows one of them only.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from pathlib import Path

UNIX = "unix:"
SERVE = "serve.sock"
LONGEST = 107
"""The kernel's bound for the bytes of a socket's path."""


class NoRoom(Exception):
    """There is no path short enough; the text says what to do."""


class Sockets:
    """Makes and changes them. Relative addresses are relative to `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers = itertools.count(1)

    def beside(self, address: str) -> str:
        """An address for one more process of the service at `address`, in a folder that is made. Raises NoRoom, OSError."""
        while True:
            own = _beside(address, next(self._numbers))
            if not os.path.lexists(folder := self.path(own).parent):
                folder.mkdir(parents=True, mode=0o700)
                return own

    def point(self, address: str, own: str) -> None:
        """Makes `address` lead to `own` from now on: whoever connects finds the old or the new one, never none."""
        link = self.path(address)
        link.parent.mkdir(parents=True, exist_ok=True)
        draft = link.with_name(f".{secrets.token_hex(4)}")
        draft.symlink_to(self._target(own))
        draft.replace(link)

    def drop(self, address: str, own: str) -> None:
        """Removes `own` with its folder, and `address` too while it leads there."""
        link = self.path(address)
        if link.is_symlink() and link.readlink() == self._target(own):
            link.unlink()
        shutil.rmtree(self.path(own).parent, ignore_errors=True)

    def clear(self, address: str) -> None:
        """Removes what a launcher that was killed left at `address` and beside it; nothing may be running there."""
        link = self.path(address)
        if link.is_symlink() or link.is_socket():
            link.unlink()
        for folder in list(link.parent.glob("*.*/")):
            if _belongs(folder, link):
                shutil.rmtree(folder, ignore_errors=True)

    def _target(self, own: str) -> Path:
        """Relative to the folder of the address, which may be moved as a whole."""
        path = self.path(own)
        return Path(path.parent.name, path.name)

    def path(self, address: str) -> Path:
        return self._root / address.removeprefix(UNIX)


def _beside(address: str, number: int) -> str:
    """A dot stands before the number: names of services have none, so it is no other service's address."""
    folder, _, name = address.removeprefix(UNIX).rpartition("/")
    start, tail = f"{folder}/" if folder or address.startswith(f"{UNIX}/") else "", f".{number}/{SERVE}"
    room = LONGEST - len(start.encode()) - len(tail)
    if room < 1:
        raise NoRoom(
            f"the path of its socket is too long, {address}: configure an `address` in a folder with a shorter path"
        )
    stem = name.removesuffix(".sock").encode()[:room].decode(errors="ignore")
    return f"{UNIX}{start}{stem}{tail}"


def _belongs(folder: Path, link: Path) -> bool:
    """Whether it is one of a process of the service at `link`: what else somebody has there has other things in it."""
    stem, _, number = folder.name.rpartition(".")
    fits = stem == link.name.removesuffix(".sock") and number.isdecimal() and not folder.is_symlink()
    return fits and all(path.is_socket() for path in folder.iterdir())
