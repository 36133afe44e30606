"""Upkeep of a journal that is larger than it may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.store import Store, Where
from gateway.adapters.journal.upkeep.retain import retain
from tests.unit.gateway.adapters.journal.kept import applied, kept, numbers
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore
from tests.unit.gateway.adapters.journal.written import (
    SECOND,
    Wall,
    calls,
    drafted,
    kinds,
    started,
)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "journal.db", durable=False)


@pytest.mark.parametrize("limit", ["100KiB", "400KiB"])
def test_the_oldest_contents_make_room_first(limit: str) -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    for index in range(40):
        wall.now += SECOND
        author.add([drafted(wall.now, blob=bytes([index]) * 20_000)])
    retention = kept(size=limit)
    assert applied(author, store, retention, wall.now) > 0
    assert store.size() <= retention.size * 0.95
    assert len(numbers(store, "header")) >= 41, "no row had to go"
    assert kinds(store) == set()


def test_room_is_made_only_when_it_is_needed() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 100)
    assert not retain(author, store, kept(size=f"{store.size()}B"), wall.now)
    assert retain(author, store, kept(size=f"{store.size() - 1}B"), wall.now)


def test_rows_go_where_contents_are_not_enough(store: Store) -> None:
    wall = Wall()
    author, other = started(store, "a", wall), started(store, "b", wall)
    for _ in range(5):
        calls(author, wall, 400)
        calls(other, wall, 400)
    size = store.size()
    retention = kept(size=f"{size * 7 // 10}B")
    assert applied(author, store, retention, wall.now) > 0
    assert store.size() <= retention.size * 0.95
    assert sum(1 for _ in store.select(Where())) > 500
    assert kinds(store) == set()


def test_a_size_that_cannot_be_had_ends(store: Store) -> None:
    wall = Wall()
    author = started(store, "a", wall)
    calls(author, wall, 500)
    applied(author, store, kept(size="1B"), wall.now)
    assert not retain(author, store, kept(size="1B"), wall.now)
    assert kinds(store) == set()


@pytest.mark.parametrize(("rows", "goes"), [(99, False), (100, True)])
def test_a_few_rows_are_not_worth_the_row_that_tells_of_them(rows: int, goes: bool) -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    author.add([drafted(wall.now, content=None) for _ in range(rows)])
    assert retain(author, store, kept(size="1B"), wall.now) is goes


@pytest.mark.parametrize(("later", "goes"), [(120 * SECOND, True), (120 * SECOND + 1, False)])
def test_what_began_for_want_of_space_goes_on_below_the_limit(later: int, goes: bool) -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    for index in range(3):
        calls(author, wall, 1000)
        author.add([drafted(wall.now, blob=bytes([index]) * 50_000)])
    assert retain(author, store, kept(size=f"{store.size() - 1}B"), wall.now)
    limit = kept(size=f"{int(store.size() / 0.97)}B")
    assert retain(author, store, limit, wall.now + later) is goes


def test_a_journal_within_the_margin_is_left_alone_as_long_as_it_never_was_too_large() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 1000)
    assert not retain(author, store, kept(size=f"{int(store.size() / 0.97)}B"), wall.now)
