"""Retention as tests ask for it."""

from __future__ import annotations

from gateway.adapters.journal.author import Author
from gateway.adapters.journal.store import Store
from gateway.adapters.journal.upkeep.retain import retain
from gateway.config import Retention
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore

FOREVER = "8760h"
"""Longer than any test lasts."""


def kept(content: str = FOREVER, person: str = FOREVER, record: str = FOREVER, size: str = "8GiB") -> Retention:
    return Retention(content=content, person=person, record=record, size=size)


def applied(author: Author, store: Store, retention: Retention, now: int) -> int:
    """How many steps there were."""
    steps = 0
    while retain(author, store, retention, now):
        steps += 1
        assert steps < 1000
    return steps


def numbers(store: MemoryStore, part: str, writer: str = "a") -> list[int]:
    return [row.seq for row in store.rows.values() if row.writer == writer and getattr(row, part) is not None]
