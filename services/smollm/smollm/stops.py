"""Ends a text at a stop word, without ever having shown a part of one."""

from __future__ import annotations

from collections.abc import Sequence


class Stops:
    """Takes a text piece by piece and gives back what may be shown by now."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if word]
        self._held = ""
        self.found = False

    def take(self, piece: str) -> str:
        """What may be shown after `piece`. Once a stop word was `found`, nothing more is to be given."""
        text = self._held + piece
        places = [place for word in self._words if (place := text.find(word)) >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        keep = max((_overlap(text, word) for word in self._words), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was held back at the end of the text, since it was no stop word after all."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, word: str) -> int:
    """How many characters at the end of `text` could be the beginning of `word`."""
    longest = min(len(text), len(word) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(word[:size])), 0)
