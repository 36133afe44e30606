"""The caller's bearer token. A service's workload token rotates, so its file is looked at for each call and read when it
changed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Token(Protocol):
    """Where the token of the next call comes from."""

    def token(self) -> str:
        """The token now; "" sends none. Raises OSError where it cannot be read."""
        ...


class FixedToken:
    """A token that the program holds itself."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token


class TokenFile:
    """The token in a file. Safe to use from several threads: the worst that a race costs is a second read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int, int], str] | None = None

    def token(self) -> str:
        """The token now in the file. Raises OSError where there is none."""
        found = self._path.stat()
        version = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._read is None or self._read[0] != version:
            self._read = (version, self._path.read_text(encoding="ascii").strip())
        return self._read[1]
