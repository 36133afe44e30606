"""Whether a journal is whole: nothing changed, nothing missing, nothing moved, and what was erased was erased on record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from gateway.adapters.journal.proof.chains import Chains
from gateway.adapters.journal.proof.check import Stored, check
from gateway.adapters.journal.proof.findings import LIMIT, Found, Problem
from gateway.adapters.journal.rows import GENESIS, Head, Row
from gateway.adapters.journal.store import Store

__all__ = ["Problem", "Report", "verify"]

_ALONE = 100_000
"""Positions up to which one process is as fast as several, which have to start first."""

_RANGE = 50_000
"""Positions that are checked at a time: hashes of so many rows are in memory, in each process."""

_PAGE = 2000


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: rows and chains that were checked, large contents that were read, and everything that is wrong.

    `problems` are in order of writer and row. `truncated`: there are more than are listed.
    """

    rows: int
    writers: int
    blobs: int
    seconds: float
    problems: tuple[Problem, ...]
    truncated: bool


def verify(
    open_store: Callable[[], Store],
    heads: Mapping[str, Head],
    *,
    processes: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Checks the journal as it is when this begins; it may be written, and retention may go on, meanwhile.

    `heads` are ends of chains as they were noted outside of the database, read before this is called. `open_store` is called
    in other processes too, so it can be pickled. `progress` gets how many positions were checked, and of how many. Raises
    StoreError.
    """
    began = time.monotonic()
    with closing(open_store()) as store:
        ends = store.heads()  # before the bounds, so that every row up to them is within
        chains = Chains(ends)
        chains.claim("the note outside the database", heads)
        for found in _found(open_store, store, ends, processes, progress):
            chains.add(found)
        problems = chains.judge(store, store.heads())
        if problems:
            now = store.heads()
            chains.later(_later(store, ends, now))
            problems = chains.judge(store, now)
    return Report(
        chains.rows,
        chains.writers,
        chains.blobs,
        time.monotonic() - began,
        tuple(problems[:LIMIT]),
        chains.truncated or len(problems) > LIMIT,
    )


def _found(
    open_store: Callable[[], Store],
    store: Store,
    ends: Mapping[str, Head],
    processes: int,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Found]:
    """What each range of positions holds, in order."""
    limits = {writer: head.seq for writer, head in ends.items()}
    first, last = store.bounds()
    total = last - first + 1
    ranges = [(start, min(start + _RANGE - 1, last)) for start in range(first, last + 1, _RANGE)]
    if total <= _ALONE or processes < 2:
        results = (check(store.scan(*each), limits, store) for each in ranges)
        yield from _told(results, total, progress)
        return
    # A new interpreter each: a copy of this one would share the database's connection.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from _told(pool.map(partial(_check_range, open_store, limits), ranges), total, progress)


def _told(results: Iterator[Found], total: int, progress: Callable[[int, int], None] | None) -> Iterator[Found]:
    for index, found in enumerate(results, 1):
        yield found
        if progress is not None:
            progress(min(index * _RANGE, total), total)


def _check_range(open_store: Callable[[], Store], limits: Mapping[str, int], positions: tuple[int, int]) -> Found:
    with closing(open_store()) as store:
        return check(store.scan(*positions), limits, store)


def _later(store: Store, ends: Mapping[str, Head], now: Mapping[str, Head]) -> Found:
    """The rows between two instants, checked as those that follow `ends`."""
    behind = {writer: ends.get(writer, Head(0, GENESIS)) for writer in now}
    return check(_between(store, ends, now), {writer: head.seq for writer, head in now.items()}, store, behind)


def _between(store: Store, ends: Mapping[str, Head], now: Mapping[str, Head]) -> Iterator[Stored]:
    reached = {writer: head.seq for writer, head in ends.items()}
    while any(reached.get(writer, 0) < head.seq for writer, head in now.items()):
        page = store.since(reached, _PAGE)
        if not page:
            return
        for row in page:
            reached[row.writer] = row.seq
        yield from map(_stored, page)


def _stored(row: Row) -> Stored:
    return (0, row.writer, row.seq, row.header.encode(), row.hash, row.principal, row.origin, row.person, row.content)
