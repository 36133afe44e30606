"""What verification finds: problems, and what one range of a journal has to tell the others."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.adapters.journal.rows import Head

LIMIT = 1000
"""Problems of which more are only counted as "more"."""

NONE, KEPT, GONE = range(3)
"""Of a part: the row never had it, has it, or has it no more."""


class Problem(NamedTuple):
    """What is wrong. `kind` is a word for programs, docs/journal.md lists them; `seq` 0 is the chain as a whole."""

    kind: str
    writer: str
    seq: int
    text: str


class Gap(NamedTuple):
    """A row that does not stand behind its predecessor: the one seen before it was `before`, 0 for none."""

    writer: str
    before: int
    seq: int
    header: bytes
    hash: bytes


class Claim(NamedTuple):
    """That a chain had a row with this hash. `source` is who says so, in words."""

    source: str
    writer: str
    head: Head


class Cleared(NamedTuple):
    """Rows `first` to `last` of a writer lost parts, a row says."""

    writer: str
    first: int
    last: int
    person: bool
    content: bool


@dataclass(slots=True)
class Piece:
    """One chain within the range. `person` and `content` tell where the state of that part changes: seq * 4 + state."""

    first: int = 0
    first_header: bytes = b""
    first_hash: bytes = b""
    first_at: int = 0
    last: int = 0
    hash: bytes = b""
    at: int = 0
    stopped: bool = False
    person: array[int] = field(default_factory=lambda: array("q"))
    content: array[int] = field(default_factory=lambda: array("q"))


@dataclass(slots=True)
class Found:
    """What a range holds. `beyond` are the highest numbers behind the limits; those rows are not checked."""

    rows: int = 0
    blobs: int = 0
    pieces: dict[str, Piece] = field(default_factory=dict)
    beyond: dict[str, int] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    cleared: list[Cleared] = field(default_factory=list)
    ends: list[tuple[str, Head]] = field(default_factory=list)
    lost: list[tuple[str, int]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    truncated: bool = False
