"""The journal's port to a database: two adapters, one contract, the same tests on both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from gateway.adapters.journal.rows import Head, Row


class StoreError(Exception):
    """The database did not do it; nothing of it was done. The text says why, without secrets, for the platform engineer.

    `passing`: worth trying again (busy, full disk, connection lost). Otherwise trying again would not help.
    """

    def __init__(self, text: str, *, passing: bool = True) -> None:
        super().__init__(text)
        self.passing = passing


class Blob(NamedTuple):
    """A large content, kept once under the SHA-256 of its bytes, and the row that refers to it."""

    sha256: bytes
    body: bytes
    writer: str
    seq: int


@dataclass(slots=True)
class Batch:
    """What is written in one transaction: rows of one writer in order, their blobs, and the chains that they join.

    `joins` are the last row of each other writer that a row in this batch names.
    """

    rows: Sequence[Row]
    blobs: Sequence[Blob] = ()
    joins: Mapping[str, int] = field(default_factory=dict)


class Span(NamedTuple):
    """Rows `first` to `last`, both included, of one writer."""

    writer: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Where:
    """Which rows are wanted; "" and None ask for any.

    `principal` is who called or who started the session. `outcome` is a status code's name or a reason. `since` and `until` are
    microseconds since 1970, `until` is excluded. `kinds` empty means calls (CALL and OPENED).
    """

    principal: str = ""
    target: str = ""
    outcome: str = ""
    session: str = ""
    call: str = ""
    decision: str = ""
    since: int | None = None
    until: int | None = None
    kinds: tuple[str, ...] = ()


class Store(Protocol):
    """One journal in one database, open. Not thread-safe. Every method raises StoreError.

    Opening makes or migrates the schema; a schema newer than this program's is an error that is not passing.
    """

    def append(self, batch: Batch) -> None:
        """Writes `batch` in one transaction, durable on return if the store was opened so. A repeat after an error is safe."""
        ...

    def heads(self) -> dict[str, Head]:
        """Every writer's last row, by writer."""
        ...

    def unjoined(self) -> dict[str, Head]:
        """The heads that no other writer's row names yet."""
        ...

    def salt(self) -> bytes:
        """The journal's own 32 random bytes, made with the schema: what "hashed" contents are hashed with."""
        ...

    def bounds(self) -> tuple[int, int]:
        """First and last position of all rows, (0, -1) when there are none. Positions rise, with gaps; rows of one
        writer rise in it together with their numbers."""
        ...

    def scan(self, first: int, last: int) -> Iterator[tuple[int, str, int, bytes, bytes, str | None, str | None, bytes | None, bytes | None]]:  # fmt: skip  # noqa: E501
        """Rows at positions `first` to `last`, both included, in order: the position, then a Row's columns as a plain tuple,
        the header as bytes. For verification: fast, in constant memory."""
        ...

    def select(self, where: Where, *, newest_first: bool = False, limit: int | None = None) -> Iterator[Row]:
        """Rows that match, by position."""
        ...

    def since(self, heads: Mapping[str, int], limit: int) -> list[Row]:
        """Up to `limit` rows of any kind behind these numbers of each writer (unknown writers: from their first row)."""
        ...

    def row(self, writer: str, seq: int) -> Row | None: ...

    def blob(self, sha256: bytes) -> bytes | None: ...

    def last_before(self, writer: str, at: int) -> int:
        """The number of the writer's last row drafted before `at`; 0 when there is none. Times do not fall in a chain."""
        ...

    def of_person(self, principal: str, limit: int) -> list[Span]:
        """Up to `limit` rows that still have a person or content part and whose `principal` or `origin` this is, as
        spans."""
        ...

    def clear(self, spans: Iterable[Span], *, person: bool, content: bool, record: Batch) -> int:
        """Erases these parts of these rows, and blobs that no row refers to any more, and appends `record`, in one transaction.

        Returns how many rows lost something.
        """
        ...

    def drop(self, spans: Iterable[Span], record: Batch) -> int:
        """Deletes these rows, with blobs that no other row refers to, and appends `record`, in one transaction."""
        ...

    def size(self) -> int:
        """Bytes that the journal holds, space that is free inside its files not counted."""
        ...

    def tidy(self) -> None:
        """Makes sure that what was erased is gone from the files too. May take as long as the journal is large."""
        ...

    def close(self) -> None: ...
