"""The journal's row: what is chained, what can be erased without breaking the chain, and how one is sealed.

A row's header is a JSON array, kept as its exact text. The row's hash is SHA-256 over the hash of the row before it of the same
writer and that text: no row can change, vanish or move unnoticed. What may have to be erased one day, the person part and
the content part, is outside the header, which holds only their SHA-256. Each part begins with random bytes, so
that the digest which stays behind tells nothing about what was erased.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

CALL = "call"
"""A call that ended. Also the kind of a call that never got past the door."""
OPENED = "opened"
"""A call that was let through and has not ended: written before its effect where the journal is required."""
STARTED = "started"
"""A writer's first row: who it is, and the heads of all chains that it found and nobody had joined."""
JOINED = "joined"
"""The heads of other writers' chains as this writer saw them: from here on they are part of this chain too."""
STOPPED = "stopped"
"""A writer's last row, after a clean end."""
LOST = "lost"
"""Calls that went unrecorded: how many, from when to when, and why."""
CLOCK = "clock"
"""The wall clock went back; the rows' times stand still until it has caught up."""
PRUNED = "pruned"
"""Rows that were dropped: for each writer the last one and its hash, with which its remaining chain begins."""
CLEARED = "cleared"
"""Parts that were erased: of which rows, which parts, and why (retention or a person's wish)."""

CONTROL = frozenset({STARTED, JOINED, STOPPED, LOST, CLOCK, PRUNED, CLEARED})
"""Kinds that tell about the journal itself and not about a call."""

GENESIS = bytes(32)
"""What stands for the hash before a writer's first row."""

SALT = 16
"""Random bytes at the start of each part."""

AT, KIND, CALL_ID, PARENT, SESSION, TARGET, METHOD, OUTCOME, REASON, DECISION, FACTS, PERSON, CONTENT = range(2, 15)
"""Positions in a header, after writer (0) and seq (1). Both databases' generated columns name some of them."""


class Head(NamedTuple):
    """Where a writer's chain ends: its last row's number and hash."""

    seq: int
    hash: bytes


class Row(NamedTuple):
    """One row as it is stored, in the order of the table's columns.

    `header` is the chained text. `principal` (who called), `origin` (who started the session) and `person` are the person
    part, `content` the content part; None where there is none or it was erased.
    """

    writer: str
    seq: int
    header: str
    hash: bytes
    principal: str | None
    origin: str | None
    person: bytes | None
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Header:
    """A header, read. `at` is microseconds since 1970 when the row was drafted; it never falls within a chain.

    `outcome` is the name of a gRPC status code, `reason` an error reason or "". `facts` depend on `kind`; docs/journal.md lists
    them. The digests are "" where the row has no such part.
    """

    writer: str
    seq: int
    at: int
    kind: str
    call: str
    parent: str
    session: str
    target: str
    method: str
    outcome: str
    reason: str
    decision: str
    facts: Mapping[str, Any]
    person_digest: str
    content_digest: str


@dataclass(slots=True)
class Draft:
    """A row before it has its place in a chain. `person` and `content` are whole parts, salt first; None for none."""

    at: int
    kind: str
    call: str = ""
    parent: str = ""
    session: str = ""
    target: str = ""
    method: str = ""
    outcome: str = ""
    reason: str = ""
    decision: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    principal: str | None = None
    origin: str | None = None
    person: bytes | None = None
    content: bytes | None = None


class Chain:
    """One writer's chain while it grows. Not thread-safe: a chain belongs to one thread."""

    def __init__(self, writer: str, head: Head = Head(0, GENESIS)) -> None:  # noqa: B008 - a tuple
        self.writer = writer
        self.head = head

    def seal(self, draft: Draft) -> Row:
        """`draft` as the chain's next row; `head` moves on."""
        seq = self.head.seq + 1
        header = orjson.dumps(
            (
                self.writer, seq, draft.at, draft.kind, draft.call, draft.parent, draft.session, draft.target,
                draft.method, draft.outcome, draft.reason, draft.decision, draft.facts,
                person_digest(draft.principal, draft.origin, draft.person), content_digest(draft.content),
            )
        )  # fmt: skip
        self.head = Head(seq, link(self.head.hash, header))
        return Row(
            self.writer,
            seq,
            header.decode(),
            self.head.hash,
            draft.principal,
            draft.origin,
            draft.person,
            draft.content,
        )


def link(previous: bytes, header: bytes) -> bytes:
    """The hash of a row with this `header` behind the row with hash `previous`."""
    return hashlib.sha256(previous + header).digest()


def person_digest(principal: str | None, origin: str | None, person: bytes | None) -> str:
    """Hexadecimal SHA-256 of the person part; it covers the two columns that queries use too. "" for none."""
    if person is None:
        return ""
    return hashlib.sha256(orjson.dumps((principal, origin)) + person).hexdigest()


def content_digest(content: bytes | None) -> str:
    """Hexadecimal SHA-256 of the content part, "" for none."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def part(body: bytes, entropy: Callable[[int], bytes]) -> bytes:
    """`body` as a part: behind fresh random bytes."""
    return entropy(SALT) + body


def body(part: bytes) -> bytes:
    """A part without its random bytes."""
    return part[SALT:]


def read_header(header: str | bytes) -> Header:
    """Raises ValueError for what is no header."""
    values = orjson.loads(header)
    if not isinstance(values, list) or len(values) != CONTENT + 1:
        raise ValueError("not a journal header")
    return Header(*values)
