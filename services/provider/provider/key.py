"""The provider's key, read from its file for each call, so that a new one counts at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firebreak_runtime.errors import LoadError

MOST = 4096
"""Bytes of a key file; whatever is longer is another file."""


@dataclass(frozen=True)
class KeyFile:
    """A file with a key and nothing else. What it holds is in no message."""

    path: Path

    def check(self) -> None:
        """Raises LoadError where there is no key. Keeps nothing of it: workers are forked from the process that asks this."""
        self.read()

    def read(self) -> str:
        """The key. Raises LoadError that says what to do."""
        try:
            with self.path.open("rb") as file:
                content = file.read(MOST + 1)
        except OSError as error:
            raise LoadError(f"{self._what()} cannot be read ({type(error).__name__}): put the key into it") from None
        key = content.decode("ascii", "replace").strip()
        if not key:
            raise LoadError(f"{self._what()} is empty: put the key into it")
        if len(content) > MOST or not all("!" <= char <= "~" for char in key):
            raise LoadError(f"{self._what()} holds no key: it must be one word, and nothing else in the file")
        return key

    def _what(self) -> str:
        # Its folder is left out: callers read this, too.
        return f"the file with the provider's key, {self.path.name},"
