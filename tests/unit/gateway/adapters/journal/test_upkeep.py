from __future__ import annotations

from pathlib import Path

import pytest

from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.rows import CLEARED, LOST, PRUNED, read_header
from gateway.adapters.journal.store import Store, StoreError, Where
from gateway.adapters.journal.upkeep.retain import retain
from tests.unit.gateway.adapters.journal.kept import applied, kept, numbers
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore
from tests.unit.gateway.adapters.journal.written import (
    DAY,
    HOUR,
    SECOND,
    Wall,
    calls,
    drafted,
    kinds,
    started,
    verified,
)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "journal.db", durable=False)


def test_a_young_journal_is_left_alone(store: Store) -> None:
    wall = Wall()
    author = started(store, "a", wall)
    calls(author, wall, 5)
    head = author.head
    assert not retain(author, store, kept("1h", "1h", "1h"), wall.now)
    assert author.head == head


def test_each_part_goes_when_its_time_is_up() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 10, every=HOUR)
    assert applied(author, store, kept("4h", "6h", "8h"), wall.now) == 3
    assert numbers(store, "content") == [7, 8, 9, 10, 11], "drafted 4 hours ago is not older than 4 hours"
    assert numbers(store, "person") == [5, 6, 7, 8, 9, 10, 11]
    assert numbers(store, "header")[0] == 3
    assert kinds(store) == set()


def test_what_was_done_is_on_record(store: Store) -> None:
    wall = Wall()
    author = started(store, "a", wall)
    calls(author, wall, 10, every=HOUR)
    fourth = store.row("a", 2)
    applied(author, store, kept("4h", "8h", "8h"), wall.now)
    told = [read_header(row.header) for row in store.select(Where(kinds=(CLEARED, PRUNED)))]
    assert fourth is not None
    assert [(header.kind, header.facts["why"]) for header in told] == [(PRUNED, "age"), (CLEARED, "age")]
    assert told[0].facts["ends"] == {"a": [2, fourth.hash.hex()]}
    assert told[1].facts["parts"] == ["content"]
    assert told[1].facts["spans"] == [["a", 3, 6]]
    assert kinds(store) == set()


def test_done_is_done(store: Store) -> None:
    wall = Wall()
    author = started(store, "a", wall)
    calls(author, wall, 10, every=HOUR)
    applied(author, store, kept("4h", "6h", "8h"), wall.now)
    head = author.head
    assert not retain(author, store, kept("4h", "6h", "8h"), wall.now)
    assert author.head == head


@pytest.mark.parametrize(("late", "steps"), [(0, 0), (9 * SECOND * 60, 0), (61 * SECOND * 60, 1)])
def test_a_pass_is_a_hundredth_of_the_time_behind_and_an_hour_at_most(late: int, steps: int) -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 100, every=60 * SECOND)
    retention = kept("2400h")
    wall.now += 2400 * HOUR - 50 * 60 * SECOND
    assert applied(author, store, retention, wall.now) == 1
    assert applied(author, store, retention, wall.now + late) == steps


def test_a_step_is_bounded_and_the_next_goes_on(store: Store) -> None:
    wall = Wall()
    authors = [started(store, name, wall) for name in ("a", "b")]
    for author in authors:
        calls(author, wall, 1500)
    wall.now += DAY
    assert applied(authors[0], store, kept("1h"), wall.now) == 2
    assert not [row for row in store.select(Where()) if row.content is not None]
    spans = [read_header(row.header).facts["spans"] for row in store.select(Where(kinds=(CLEARED,)))]
    assert sum(last - first + 1 for _, first, last in spans[0]) <= 2000
    assert applied(authors[0], store, kept("1h", "1h", "1h"), wall.now) == 3
    assert sum(1 for _ in store.select(Where())) == 1, "the last row of the other"
    assert kinds(store) == set()


def test_rows_without_parts_bring_forth_no_others() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    for _ in range(1500):
        author.tell(LOST, {})
    assert applied(author, store, kept("1h", "1h"), wall.now + DAY) == 0
    for _ in range(1500):
        author.tell(LOST, {})
    author.add([drafted(wall.now)])
    assert applied(author, store, kept("1h"), wall.now + DAY) == 2
    assert numbers(store, "content") == []
    wall.now += 30 * DAY
    assert applied(author, store, kept("1h"), wall.now) == 0


def test_rows_that_come_late_are_found() -> None:
    """From a gateway that could not write for long, or whose clock is behind."""
    store, wall, behind = MemoryStore(), Wall(), Wall()
    author, other = started(store, "a", wall), started(store, "b", behind)
    calls(author, wall, 3)
    wall.now += DAY
    applied(author, store, kept("1h"), wall.now)
    calls(other, behind, 3)
    applied(author, store, kept("1h"), wall.now + HOUR)
    assert numbers(store, "content", "b") == []


def test_a_clock_that_was_ahead_keeps_nothing() -> None:
    store, wall, ahead = MemoryStore(), Wall(), Wall()
    ahead.now += 1000 * DAY
    author, other = started(store, "a", wall), started(store, "b", ahead)
    calls(author, wall, 3)
    applied(other, store, kept("1h"), ahead.now)
    calls(author, wall, 3)
    applied(author, store, kept("1h"), wall.now + DAY)
    assert numbers(store, "content") == []


def test_two_gateways_do_the_same_at_once(store: Store) -> None:
    wall = Wall()
    authors = [started(store, name, wall) for name in ("a", "b")]
    for author in authors:
        calls(author, wall, 50, every=HOUR)
    retention = kept("10h", "20h", "30h")
    steps = [True]
    while any(steps):
        steps = [retain(author, store, retention, wall.now) for author in authors]
        assert kinds(store) == set()
    assert len([row for row in store.select(Where()) if row.content is not None]) == 11


def test_a_clean_end_leaves_nothing_and_any_other_the_last_row() -> None:
    store, wall = MemoryStore(), Wall()
    stopped, crashed, own = (started(store, name, wall) for name in ("stopped", "crashed", "own"))
    calls(crashed, wall, 3)
    stopped.stop()
    wall.now += DAY
    applied(own, store, kept("1h", "1h", "1h"), wall.now)
    assert numbers(store, "header", "stopped") == []
    assert numbers(store, "header", "crashed") == [4]
    assert "stopped" not in store.heads()
    calls(crashed, wall, 1)
    assert kinds(store, {"stopped": stopped.head}) == set()


def test_what_was_said_of_a_drop_outlives_the_row_that_said_it() -> None:
    store, wall = MemoryStore(), Wall()
    own, other = started(store, "own", wall), started(store, "other", wall)
    gone = started(store, "gone", wall)
    calls(other, wall, 3)
    gone.stop()
    for _ in range(5):
        wall.now += DAY
        own.tell(LOST, {})
        applied(own, store, kept("1h", "1h", "1h"), wall.now)
        calls(other, wall, 1)
        assert kinds(store, {"gone": gone.head}) == set()
    assert sum(1 for _ in store.select(Where(kinds=(PRUNED,)))) <= 2


def test_a_row_that_tells_of_erased_parts_stays_as_long_as_they_do() -> None:
    """Its writer's clock was behind, so it is due before them."""
    store, wall, behind = MemoryStore(), Wall(), Wall()
    behind.now -= 2 * DAY
    author, other = started(store, "a", wall), started(store, "b", behind)
    calls(author, wall, 3)
    for span in store.of_person("user:ada", 10):
        other.clear([span], person=True, content=True, facts={"why": "person"})
    other.tell(LOST, {})
    applied(author, store, kept("24h", "24h", "24h"), wall.now)
    assert numbers(store, "header", "b")[0] == 2, "which is the first that tells"
    assert kinds(store) == set()
    wall.now += 2 * DAY
    applied(author, store, kept("24h", "24h", "24h"), wall.now)
    assert numbers(store, "header", "b") == [store.heads()["b"].seq]
    assert kinds(store) == set()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_it_may_die_in_any_step(after: bool, step: int) -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 30, every=HOUR)
    retention = kept("5h", "10h", "15h")
    for _ in range(step):
        assert retain(author, store, retention, wall.now)
    if after:
        store.fail_after = StoreError("the disk is full")
    else:
        store.fail = StoreError("the disk is full")
    with pytest.raises(StoreError):
        retain(author, store, retention, wall.now)
    again = started(store, "again", wall)
    applied(again, store, retention, wall.now)
    assert len(numbers(store, "content")) == 6
    assert len(numbers(store, "person")) == 11
    # The one that failed comes back: what it sealed is written once, with whatever it was to do.
    applied(author, store, retention, wall.now)
    assert verified(store).problems == ()


def test_a_row_that_cannot_be_read_is_an_error_with_advice() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "a", wall)
    author.tell(CLEARED, {"done": 3, "parts": ["content"], "spans": []})
    with pytest.raises(StoreError, match="journal verify") as raised:
        retain(author, store, kept("1h"), wall.now)
    assert not raised.value.passing


def test_a_row_of_a_writer_whose_clock_is_behind_goes_with_the_next_pass(store: Store) -> None:
    """Though a pass that was for younger rows, before that row came, was a moment ago."""
    wall, behind = Wall(), Wall()
    author = started(store, "a", wall)
    late = started(store, "late", behind)
    calls(author, wall, 10, every=HOUR)
    applied(author, store, kept("4h", "99h", "99h"), wall.now)
    behind.now += HOUR
    late.add([drafted(behind.now)])
    assert applied(author, store, kept("4h", "99h", "99h"), wall.now) == 1
    row = store.row("late", 2)
    assert row is not None
    assert row.content is None
    assert not retain(author, store, kept("4h", "99h", "99h"), wall.now)
    assert kinds(store) == set()
