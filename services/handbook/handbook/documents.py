"""Markdown documents, cut into one passage a heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(r"^(#{1,3})\s+(.+?)\s*#*\s*$")


class DocumentError(Exception):
    """A document cannot be read as part of the handbook; the text names it."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What stands under one heading. `source` is "file#heading", as a link within the handbook would be."""

    title: str
    heading: str
    source: str
    text: str

    @property
    def whole(self) -> str:
        """What is embedded: the text with its headings, which often hold the words that people search for."""
        return f"{self.title}: {self.heading}. {self.text}"


def read(folder: Path) -> tuple[Passage, ...]:
    """Every passage of the folder's Markdown files, in order; raises DocumentError, also when there is none."""
    passages = tuple(passage for file in sorted(folder.glob("*.md")) for passage in _passages(file))
    if not passages:
        raise DocumentError(f"{folder.name} holds no Markdown document")
    return passages


def _passages(file: Path) -> Iterator[Passage]:
    title, heading, lines = "", "", list[str]()
    for line in [*file.read_text(encoding="utf-8").splitlines(), "## "]:
        found = _HEADING.match(line)
        if found is None and line != "## ":
            lines.append(line)
            continue
        text = "\n".join(lines).strip()
        if text:
            if not title:
                raise DocumentError(f"{file.name} has text before its title, a line such as: # Refunds")
            yield Passage(title, heading or title, f"{file.name}#{_anchor(heading or title)}", text)
        lines = []
        if found and len(found[1]) == 1:
            title, heading = found[2], ""
        elif found:
            heading = found[2]


def _anchor(heading: str) -> str:
    return re.sub(r"[\s_]+", "-", re.sub(r"[^\w\s-]", "", heading.lower())).strip("-")
