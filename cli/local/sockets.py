"""Sockets of a service's processes: each listens on one of its own, and the configured address is a link to the one in use.

So a new process can be started beside the one in use, and take its place in one step.
"""

from __future__ import annotations

import itertools
import os
import secrets
from pathlib import Path

UNIX = "unix:"
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
        """An address for one more process of the service at `address`, never given before. Raises NoRoom."""
        while True:
            own = _beside(address, next(self._numbers))
            if not os.path.lexists(self.path(own)):
                return own

    def point(self, address: str, own: str) -> None:
        """Makes `address` lead to `own` from now on: whoever connects finds the old or the new one, never none."""
        link = self.path(address)
        link.parent.mkdir(parents=True, exist_ok=True)
        draft = link.with_name(f".{secrets.token_hex(4)}")
        draft.symlink_to(self.path(own).name)
        draft.replace(link)

    def drop(self, address: str, own: str) -> None:
        """Removes `own`, and `address` too while it leads there."""
        link = self.path(address)
        if link.is_symlink() and link.readlink() == Path(self.path(own).name):
            link.unlink()
        self.path(own).unlink(missing_ok=True)

    def clear(self, address: str) -> None:
        """Removes what a launcher that was killed left at `address` and beside it; nothing may be running there."""
        link = self.path(address)
        left = [path for path in link.parent.glob("*.sock") if _belongs(path, link)]
        for path in (link, *left):
            if path.is_symlink() or path.is_socket():
                path.unlink()

    def path(self, address: str) -> Path:
        return self._root / address.removeprefix(UNIX)


def _beside(address: str, number: int) -> str:
    """A dot stands before the number: names of services have none, so it is no other service's address."""
    folder, _, name = address.removeprefix(UNIX).rpartition("/")
    start, tail = f"{folder}/" if folder or address.startswith(f"{UNIX}/") else "", f".{number}.sock"
    room = LONGEST - len(start.encode()) - len(tail)
    if room < 1:
        raise NoRoom(
            f"the path of its socket is too long, {address}: configure an `address` in a folder with a shorter path"
        )
    stem = name.removesuffix(".sock").encode()[:room].decode(errors="ignore")
    return f"{UNIX}{start}{stem}{tail}"


def _belongs(path: Path, link: Path) -> bool:
    stem, _, number = path.stem.rpartition(".")
    return stem == link.name.removesuffix(".sock") and number.isdecimal()
