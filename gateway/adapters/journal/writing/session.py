"""What the journal's thread works with, and the store and the chain that it opens with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.adapters.journal.author import Author, new_writer
from gateway.adapters.journal.heads import Heads
from gateway.adapters.journal.store import Store, StoreError
from gateway.adapters.journal.writing.entries import Drafter
from gateway.adapters.journal.writing.intake import Queued
from gateway.ports import Clock

Retain = Callable[[Author, Store, int], bool]
"""Lets go of what is too old, by the time in microseconds since 1970; True when there is more to do at once."""


@dataclass(frozen=True, slots=True)
class Means:
    """What the thread works with. `wall` is seconds since 1970, `facts` say who writes, in each chain's first row.

    `open_heads` raises OSError. `committed` is told how many seconds each transaction took, `resolve` what became of entries
    that somebody waits for.
    """

    open_store: Callable[[], Store]
    open_heads: Callable[[], Heads]
    make_drafter: Callable[[bytes], Drafter]
    retain: Retain
    facts: Mapping[str, Any]
    wall: Callable[[], float]
    clock: Clock
    random: Callable[[], float]
    committed: Callable[[float], None]
    resolve: Callable[[list[tuple[Queued, bool]]], None]


@dataclass(frozen=True, slots=True)
class Session:
    """A store, and a chain that is written in it."""

    store: Store
    heads: Heads
    author: Author
    drafter: Drafter

    def close(self) -> None:
        """Raises StoreError."""
        self.heads.close()
        self.store.close()


def begin(means: Means) -> Session:
    """Opens the store and begins a chain of its own in it. Raises StoreError."""
    store = means.open_store()
    try:
        return _begun(means, store)
    except BaseException:
        store.close()
        raise


def _begun(means: Means, store: Store) -> Session:
    try:
        heads = means.open_heads()
    except OSError as error:
        raise StoreError(f"the folder for the chains' heads cannot be made: {error.strerror}") from error
    author = Author(store, new_writer(), means.wall, heads)
    try:
        author.start(means.facts)
        return Session(store, heads, author, means.make_drafter(store.salt()))
    except BaseException:
        heads.close()
        raise
