"""A store for tests of what writes to one: keeps rows in memory, and fails as it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.adapters.journal.rows import Head, Header, Row, read_header
from gateway.adapters.journal.store import Batch, Blob, StoreError

SALT = b"s" * 32


@dataclass
class ScriptedStore:
    """`refuse` decides on each batch: it returns an error to raise, before anything of the batch is kept."""

    refuse: Callable[[Batch], Exception | None] = lambda batch: None
    rows: dict[tuple[str, int], Row] = field(default_factory=dict)
    blobs: list[Blob] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    foreign: dict[str, Head] = field(default_factory=dict)
    closed: int = 0

    def append(self, batch: Batch) -> None:
        error = self.refuse(batch)
        if error is not None:
            raise error
        self.batches.append(len(batch.rows))
        for row in batch.rows:
            kept = self.rows.setdefault((row.writer, row.seq), row)
            assert kept == row, "another row at the same place"
        self.blobs.extend(batch.blobs)

    def unjoined(self) -> dict[str, Head]:
        return dict(self.foreign)

    def salt(self) -> bytes:
        return SALT

    def close(self) -> None:
        self.closed += 1

    def headers(self) -> list[Header]:
        """In the order in which they were written, all writers'. Another thread may be writing meanwhile."""
        return [read_header(row.header) for row in list(self.rows.values())]

    def kinds(self) -> list[str]:
        return [header.kind for header in self.headers()]

    def calls(self) -> list[str]:
        """Ids of the calls that are on record, in order."""
        return [header.call for header in self.headers() if header.kind == "call"]


def busy(batch: Batch) -> StoreError:
    return StoreError("the journal is busy")


def corrupt(batch: Batch) -> StoreError:
    return StoreError("the file is not a database", passing=False)
