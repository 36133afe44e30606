"""One writer's chain: in order and once, whatever the store, the clock and those who wrote before it do."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gateway.adapters.journal.author import Author
from gateway.adapters.journal.heads import Heads, read_heads
from gateway.adapters.journal.rows import Head, Header, read_header
from gateway.adapters.journal.store import StoreError
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore
from tests.unit.gateway.adapters.journal.written import SECOND, T0, Wall, calls, drafted, kinds, started


def headers(store: MemoryStore, writer: str) -> list[Header]:
    return [read_header(row.header) for row in store.rows.values() if row.writer == writer]


def test_the_first_row_names_the_ends_of_the_chains_before_it() -> None:
    store, wall = MemoryStore(), Wall()
    one = started(store, "one", wall)
    one.stop()
    two = started(store, "two", wall)
    assert headers(store, "two")[0].facts["heads"] == {"one": [2, one.head.hash.hex()]}
    three = started(store, "three", wall)
    assert list(headers(store, "three")[0].facts["heads"]) == ["two"]
    assert two.head == Head(1, store.writers["two"].hash)
    assert three.writer == "three"


def test_chains_that_grow_side_by_side_are_joined_once(tmp_path: Path) -> None:
    store, wall = MemoryStore(), Wall()
    one, two = started(store, "one", wall), started(store, "two", wall)
    assert not two.join()
    calls(one, wall, 3)
    assert two.join()
    assert not two.join()
    assert headers(store, "two")[-1].facts["heads"] == {"one": [4, one.head.hash.hex()]}
    assert kinds(store) == set()  # type: ignore[arg-type]


@pytest.mark.parametrize("when", ["fail", "fail_after"])
def test_what_failed_is_tried_again_as_it_was(when: str) -> None:
    """Whether the failed transaction had taken effect or not."""
    store, wall = MemoryStore(), Wall()
    author = started(store, "one", wall)
    setattr(store, when, StoreError("the server is gone"))
    with pytest.raises(StoreError):
        author.add([drafted(wall.now), drafted(wall.now)])
    assert author.pending
    wall.now += SECOND
    author.add([drafted(wall.now)])
    assert not author.pending
    assert [header.seq for header in headers(store, "one")] == [1, 2, 3, 4]
    assert kinds(store) == set()  # type: ignore[arg-type]


def test_nothing_is_sealed_before_what_failed_earlier_is_written() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "one", wall)
    store.fail = StoreError("the server is gone")
    with pytest.raises(StoreError):
        author.add([drafted(wall.now)])
    store.fail = StoreError("the server is still gone")
    head = author.head
    with pytest.raises(StoreError):
        author.add([drafted(wall.now)])
    assert author.head == head


def test_times_stand_still_while_the_clock_is_behind_and_a_row_says_so_once() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "one", wall)
    for back in (3600, 3599, 1800):
        author.add([drafted(T0 - back * SECOND)])
    author.add([drafted(T0 + SECOND)])
    found = headers(store, "one")
    assert [header.kind for header in found] == ["started", "clock", "call", "call", "call", "call"]
    assert [header.at - T0 for header in found] == [0, 0, 0, 0, 0, SECOND]
    assert found[1].facts == {"wall": T0 - 3600 * SECOND, "at": T0}
    assert kinds(store) == set()  # type: ignore[arg-type]


def test_a_clock_that_is_behind_by_less_than_a_second_is_not_worth_a_row() -> None:
    store, wall = MemoryStore(), Wall()
    author = started(store, "one", wall)
    author.add([drafted(T0 - SECOND)])
    assert [header.kind for header in headers(store, "one")] == ["started", "call"]
    author.add([drafted(T0 - SECOND - 1)])
    assert [header.kind for header in headers(store, "one")] == ["started", "call", "clock", "call"]


def test_the_note_of_a_chain_goes_when_another_names_its_end(tmp_path: Path) -> None:
    store, wall, heads = MemoryStore(), Wall(), Heads(tmp_path)
    started(store, "one", wall, heads).stop()
    assert list(read_heads(tmp_path)) == ["one"]
    two = started(store, "two", wall, heads)
    assert read_heads(tmp_path) == {"two": two.head}


def test_a_chain_that_was_cut_short_while_nobody_wrote_stays_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, wall, heads = MemoryStore(), Wall(), Heads(tmp_path)
    one = started(store, "one", wall, heads)
    calls(one, wall, 3)
    last = max(store.rows)
    del store.rows[last]
    before = store.row("one", 3)
    assert before is not None
    store.writers["one"] = Head(3, before.hash)
    with caplog.at_level(logging.ERROR):
        two = started(store, "two", wall, heads)
    assert "the chain one does not end where its note says" in caplog.text
    assert read_heads(tmp_path) == {"one": one.head, "two": two.head}
    assert "cut" in kinds(store, read_heads(tmp_path))  # type: ignore[arg-type]


def test_a_writer_that_went_on_while_it_was_joined_is_no_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, wall, heads = MemoryStore(), Wall(), Heads(tmp_path)
    one, two = started(store, "one", wall, heads), started(store, "two", wall, heads)
    calls(one, wall, 1)
    seen = store.unjoined()
    calls(one, wall, 1)
    store.unjoined = lambda: seen  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR):
        assert two.join()
    assert caplog.text == ""
    assert read_heads(tmp_path) == {"one": one.head, "two": two.head}


def test_a_note_that_cannot_be_read_is_told_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, wall, heads = MemoryStore(), Wall(), Heads(tmp_path)
    started(store, "one", wall, heads).stop()
    (tmp_path / "one").write_text("scribble")
    with caplog.at_level(logging.ERROR):
        started(store, "two", wall, heads)
    assert "the chain one does not end where its note says" in caplog.text
    assert (tmp_path / "one").exists()


def test_a_note_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    store, wall = MemoryStore(), Wall()
    heads = Heads(tmp_path / "heads")
    author: Author = started(store, "one", wall, heads)
    (tmp_path / "heads/one").unlink()
    (tmp_path / "heads").rmdir()
    (tmp_path / "heads").write_text("in the way")
    author.add([drafted(wall.now)])
    assert "could not be noted" in author.unnoted
    (tmp_path / "heads").unlink()
    author.add([drafted(wall.now)])
    assert author.unnoted == ""
    assert read_heads(tmp_path / "heads") == {"one": author.head}
