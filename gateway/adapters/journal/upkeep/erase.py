"""A person's wish to be forgotten: what names this person, and what was said, goes; the chain stays whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.adapters.journal.author import Author
from gateway.adapters.journal.store import Store, StoreError

_STEP = 1000
"""Rows in one transaction, so that a gateway which writes the same journal never waits long."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows lost something."""

    rows: int


def erase(store: Store, author: Author, principal: str, progress: Callable[[int], None] | None = None) -> Erased:
    """Erases the person and content parts of every call that `principal` made or that was made in their session.

    Rows that say so are written, without the name; last, the database's files are made to forget too. May be repeated after an
    error: it goes on where it ended. `progress` gets how many rows have lost something so far. Raises StoreError.
    """
    rows = 0
    before = None
    while spans := store.of_person(principal, _STEP):
        erased = author.clear(spans, person=True, content=True, facts={"why": "person"})
        if not erased and spans == before:
            raise StoreError("rows that were erased are still found: run `firebreak journal verify`", passing=False)
        before = spans
        rows += erased
        if progress is not None:
            progress(rows)
    store.tidy()
    return Erased(rows)
