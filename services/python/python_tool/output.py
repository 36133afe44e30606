"""What code prints, up to a limit."""

from __future__ import annotations

import io


class Output(io.TextIOBase):
    """A text stream that keeps the first `limit` characters and counts the rest, so that endless printing costs no memory."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._parts: list[str] = []
        self._kept = 0
        self._dropped = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        part = text[: self._limit - self._kept]
        if part:
            self._parts.append(part)
        self._kept += len(part)
        self._dropped += len(text) - len(part)
        return len(text)

    def text(self) -> str:
        """What was kept, with a note where something is missing."""
        return "".join(self._parts) + _note(self._dropped)


def shortened(text: str, limit: int) -> str:
    """The beginning and the end of a text that is longer than `limit` characters, with a note between them."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return text[:half] + _note(len(text) - 2 * half) + "\n" + text[-half:]


def _note(dropped: int) -> str:
    return f"\n… {dropped} more characters are not shown" if dropped else ""
