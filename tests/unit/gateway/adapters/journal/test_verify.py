from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.heads import Heads, read_heads
from gateway.adapters.journal.proof.findings import LIMIT
from gateway.adapters.journal.proof.verify import Problem, verify
from gateway.adapters.journal.rows import CLEARED, JOINED, LOST, PRUNED, STARTED, Chain, Draft, Head
from gateway.adapters.journal.store import Batch, Span
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore
from tests.unit.gateway.adapters.journal.written import Wall, calls, drafted, keeping, kinds, started, verified


def test_nothing_is_whole() -> None:
    report = verified(MemoryStore())
    assert (report.rows, report.writers, report.blobs, report.problems) == (0, 0, 0, ())


def test_it_counts_rows_chains_and_large_contents() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    started(store, "b", wall)
    author.add([drafted(wall.now, blob=b"large"), drafted(wall.now, blob=b"large"), drafted(wall.now, blob=b"other")])
    report = verified(store)
    assert (report.rows, report.writers, report.blobs, report.problems) == (5, 2, 2, ())
    assert report.seconds >= 0


def test_a_changed_row_is_named(tmp_path: Path) -> None:
    opened = partial(SqliteStore, tmp_path / "journal.db", durable=False)
    store, wall = opened(), Wall()
    calls(started(store, "a", wall), wall, 5)
    store.close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE rows SET content = x'00' WHERE seq = 3")
        connection.execute("UPDATE rows SET header = replace(header, 'calculator', 'handbook') WHERE seq = 5")
    connection.close()
    assert verify(opened, {}).problems == (
        Problem("changed", "a", 3, "the content is not what was recorded"),
        Problem("changed", "a", 5, "the row is not what its hash, or the hash before it, was made of"),
    )


def test_several_processes_find_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.journal.proof.verify._ALONE", 100)
    monkeypatch.setattr("gateway.adapters.journal.proof.verify._RANGE", 40)
    opened = partial(SqliteStore, tmp_path / "journal.db", durable=False)
    store, wall = opened(), Wall()
    first, second = started(store, "a", wall), started(store, "b", wall)
    for _ in range(5):
        calls(first, wall, 20)
        calls(second, wall, 10)
        second.join()
    first.clear([Span("b", 2, 20)], person=True, content=True, facts={"why": "person"})
    first.drop([Span("a", 1, 55)], {"a": Head(55, store.row("a", 55).hash)}, {"why": "age"})  # type: ignore[union-attr]
    told: list[tuple[int, int]] = []
    assert verify(opened, {}, progress=lambda done, total: told.append((done, total))).problems == ()
    assert told[-1] == (told[-1][1], told[-1][1])
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    store.close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("DELETE FROM rows WHERE seq IN (70, 71, 90)")
        connection.execute("UPDATE rows SET person = NULL WHERE writer = 'b' AND seq > 50")
    connection.close()
    report = verify(opened, {}, processes=2)
    assert {problem.kind for problem in report.problems} == {"missing", "erased", "changed"}
    assert report.problems == verify(opened, {}, processes=1).problems


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_where_a_range_ends_makes_no_difference(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.journal.proof.verify._RANGE", size)
    store, wall = MemoryStore(), Wall()
    a, b = started(store, "a", wall), started(store, "b", wall)
    for _ in range(3):
        calls(a, wall, 3)
        calls(b, wall, 2)
        a.join()
    a.clear([Span("b", 2, 5)], person=False, content=True, facts={"why": "age"})
    b.stop()
    assert verified(store).problems == ()
    del store.rows[7]
    store.rows[9] = store.rows[9]._replace(hash=bytes(32))
    store.rows[15] = store.rows[15]._replace(content=None)
    found = verified(store).problems
    monkeypatch.undo()
    assert found == verified(store).problems
    assert {problem.kind for problem in found} == {"missing", "changed", "erased"}


def test_a_time_that_falls() -> None:
    store = MemoryStore()
    chain = Chain("a")
    rows = [
        chain.seal(Draft(at=at, kind=kind, facts=facts))
        for at, kind, facts in ((5, STARTED, {"heads": {}}), (4, LOST, {}))
    ]
    store.append(Batch(rows))
    assert kinds(store) == {"time"}


def test_a_chain_that_begins_with_no_start() -> None:
    store = MemoryStore()
    store.append(Batch([Chain("a").seal(Draft(at=1, kind=LOST))]))
    assert kinds(store) == {"changed"}


def test_a_chain_whose_first_row_follows_something() -> None:
    store = MemoryStore()
    store.append(Batch([Chain("a", Head(0, b"x" * 32)).seal(Draft(at=1, kind=STARTED, facts={"heads": {}}))]))
    assert kinds(store) == {"changed"}


@pytest.mark.parametrize(
    ("kind", "facts"),
    [(STARTED, {}), (JOINED, {"heads": 3}), (PRUNED, {"ends": {"a": [1]}}), (CLEARED, {"spans": [["a"]], "parts": []})],
)
def test_a_row_about_the_journal_that_says_nothing(kind: str, facts: Mapping[str, object]) -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    author.tell(kind, facts)
    assert kinds(store) == {"changed"}


def test_rows_dropped_on_record_are_not_missing_but_more_are() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 9)
    author.drop([Span("a", 1, 4)], {"a": Head(4, store.row("a", 4).hash)}, {"why": "age"})  # type: ignore[union-attr]
    assert kinds(store) == set()
    del store.rows[5]
    assert verified(store).problems == (Problem("missing", "a", 5, "row 5 is missing"),)


def test_a_dropped_row_that_is_there_again() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 9)
    fourth = store.row("a", 4)
    assert fourth is not None
    author.drop([Span("a", 1, 4)], {"a": Head(4, fourth.hash)}, {"why": "age"})
    store.rows[4] = fourth
    assert "order" in kinds(store)


def test_a_drop_that_names_another_last_row() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 9)
    author.drop([Span("a", 1, 4)], {"a": Head(4, bytes(32))}, {"why": "age"})
    assert kinds(store) == {"changed"}


def test_a_chain_that_was_dropped_as_a_whole_is_not_gone() -> None:
    store, wall = MemoryStore(), Wall()
    old = started(store, "old", wall)
    old.stop()
    author = started(store, "new", wall)
    author.drop([Span("old", 1, 2)], {"old": old.head}, {"why": "age"})
    assert kinds(store, {"old": old.head}) == set()
    assert kinds(store, {"old": Head(2, bytes(32))}) == {"fork"}


def test_notes_of_a_real_folder(tmp_path: Path) -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall, Heads(tmp_path))
    calls(author, wall, 3)
    assert kinds(store, read_heads(tmp_path)) == set()
    gone = max(store.rows)
    row = store.rows.pop(gone)
    store.writers["a"] = Head(row.seq - 1, store.rows[gone - 1].hash)
    assert kinds(store) == set(), "nothing within the database can tell"
    assert verified(store, read_heads(tmp_path)).problems == (
        Problem("cut", "a", 4, "row 4 is missing at the end: the note outside the database names it"),
    )


@pytest.mark.parametrize(("count", "truncated"), [(LIMIT, False), (LIMIT + 1, True)])
def test_no_more_problems_are_listed_than_anybody_reads(count: int, truncated: bool) -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, count)
    for position in range(2, count + 2):
        store.rows[position] = store.rows[position]._replace(content=b"forged")
    report = verified(store)
    assert (len(report.problems), report.truncated) == (LIMIT, truncated)


def test_the_store_is_closed() -> None:
    class Closing(MemoryStore):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    store = Closing()
    verify(lambda: store, {})
    assert store.closed == 1
    assert verify(keeping(store), {}).problems == ()
