from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.rows import CLEARED, read_header
from gateway.adapters.journal.store import Batch, Span, StoreError, Where
from gateway.adapters.journal.upkeep.erase import erase
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore
from tests.unit.gateway.adapters.journal.written import Wall, calls, drafted, kinds, started

ADA = "user:ada"


def test_everything_of_one_person_goes_and_nothing_of_another() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    author.add(
        [
            drafted(wall.now, principal=ADA, origin=ADA),
            drafted(wall.now, principal="service:assistant", origin=ADA, blob=b"Ada's"),
            drafted(wall.now, principal="user:bob", origin="user:bob", blob=b"Bob's"),
        ]
    )
    told: list[int] = []
    assert erase(store, author, ADA, told.append).rows == 2
    assert [row.seq for row in store.rows.values() if row.person or row.content] == [4]
    assert list(store.bodies.values()) == [b"Bob's"]
    assert told == [2]
    assert store.tidied == 1
    assert kinds(store) == set()


def test_the_row_that_says_so_names_nobody() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 3)
    erase(store, author, ADA)
    (row,) = store.select(Where(kinds=(CLEARED,)))
    facts = read_header(row.header).facts
    assert (facts["why"], facts["parts"]) == ("person", ["person", "content"])
    assert not any(ADA in row.header for row in store.rows.values())
    assert row.principal is row.origin is row.person is None


def test_nobody_is_erased() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 3)
    assert erase(store, author, "user:eve").rows == 0
    assert author.head.seq == 4
    assert store.tidied == 1, "the erasure of an earlier attempt may still be in the files"


def test_many_rows_go_in_steps() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 1001)
    told: list[int] = []
    assert erase(store, author, ADA, told.append).rows == 1001
    assert told == [1000, 1001]
    assert kinds(store) == set()


def test_it_goes_on_after_an_error() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 3)
    store.fail = StoreError("busy")
    with pytest.raises(StoreError):
        erase(store, author, ADA)
    erase(store, author, ADA)
    assert not store.of_person(ADA, 10)
    assert kinds(store) == set()


def test_a_store_that_does_not_erase_is_no_endless_loop() -> None:
    class Idle(MemoryStore):
        def clear(self, spans: Iterable[Span], *, person: bool, content: bool, record: Batch) -> int:
            self.append(record)
            return 0

    store, wall = Idle(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 3)
    with pytest.raises(StoreError, match="still found"):
        erase(store, author, ADA)


def test_the_file_forgets_too(tmp_path: Path) -> None:
    store, wall = SqliteStore(tmp_path / "journal.db", durable=False), Wall()
    author = started(store, "a", wall)
    secret = b"what Ada said to nobody else"
    author.add([drafted(wall.now, content=secret), drafted(wall.now, blob=secret * 300)])
    assert erase(store, author, ADA).rows == 2
    files = [file.read_bytes() for file in tmp_path.iterdir()]
    assert files
    assert not any(secret in data or ADA.encode() in data for data in files)
    assert kinds(store) == set()
