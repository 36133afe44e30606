"""A journal that is written, and from which things go, while it is verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from gateway.adapters.journal.rows import GENESIS, PRUNED, Chain, Draft, Head, Row
from gateway.adapters.journal.store import Batch, Span
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore, Stored
from tests.unit.gateway.adapters.journal.written import Wall, calls, drafted, kinds, started, verified


class Living(MemoryStore):
    """Something happens while row `at` of the scan is being read."""

    def __init__(self, at: int, happens: Callable[[Living], None]) -> None:
        super().__init__()
        self._at = at
        self._happens = happens

    def scan(self, first: int, last: int) -> Iterator[Stored]:
        for row in super().scan(first, last):
            if row[0] == self._at:
                self._happens(self)
            yield row


def living(at: int, happens: Callable[[MemoryStore, Wall], None], rows: int = 20) -> Living:
    store, wall = Living(at, lambda store: happens(store, wall)), Wall()
    author = started(store, "a", wall)
    calls(author, wall, rows - 2)
    author.add([drafted(wall.now, blob=b"large")])
    return store


def test_rows_that_are_written_meanwhile_are_left_for_the_next_time() -> None:
    def writes(store: MemoryStore, wall: Wall) -> None:
        calls(started(store, "b", wall), wall, 3)

    report = verified(living(10, writes))
    assert (report.rows, report.problems) == (20, ())


@pytest.mark.parametrize("at", [1, 5, 12, 20])
@pytest.mark.parametrize("last", [4, 11, 20])
def test_rows_and_parts_may_go_meanwhile(at: int, last: int) -> None:
    def goes(store: MemoryStore, wall: Wall) -> None:
        author = started(store, f"late{len(store.writers)}", wall)
        author.clear([Span("a", 2, last)], person=True, content=True, facts={"why": "age"})
        end = store.row("a", last - 2)
        assert end is not None
        author.drop([Span("a", 1, last - 2)], {"a": Head(last - 2, end.hash)}, {"why": "age"})

    assert verified(living(at, goes)).problems == ()


@pytest.mark.parametrize("at", [1, 5, 12, 20])
def test_what_goes_meanwhile_without_a_word_is_found(at: int) -> None:
    def goes(store: MemoryStore, wall: Wall) -> None:
        store.rows[20] = store.rows[20]._replace(content=None)
        store.bodies.clear()
        store.rows.pop(13, None)
        calls(started(store, f"late{len(store.writers)}", wall), wall, 3)

    assert kinds(living(at, goes)) & {"erased", "missing", "blob"}


def test_a_forged_row_about_a_drop_is_found_though_it_came_late() -> None:
    def forges(store: MemoryStore, wall: Wall) -> None:
        for position in range(1, 9):
            store.rows.pop(position, None)
        chain = Chain("a", Head(20, GENESIS))
        row: Row = chain.seal(Draft(at=wall.now, kind=PRUNED, facts={"ends": {"a": [8, "00" * 32]}}))
        store.append(Batch([row]))

    assert "changed" in kinds(living(1, forges))
