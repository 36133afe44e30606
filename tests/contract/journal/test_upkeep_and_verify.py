"""What stands on a store, on both real ones: a journal that is written, kept small and verified at the same time."""

from __future__ import annotations

import threading
from functools import partial

from gateway.adapters.journal.author import Author
from gateway.adapters.journal.proof.verify import Problem, verify
from gateway.adapters.journal.rows import Head
from gateway.adapters.journal.store import Store, StoreError
from gateway.adapters.journal.upkeep.erase import erase
from gateway.adapters.journal.upkeep.retain import retain
from gateway.config import Retention
from tests.contract.journal.conftest import Place
from tests.unit.gateway.adapters.journal.written import DAY, SECOND, Wall, calls, drafted, started

SMALL = Retention(content="10m", person="20m", record="1h")


def busy(place: Place, name: str, rounds: int) -> None:
    """A gateway's life, a few days in a second: calls, joins, retention, an erasure, a clean end."""
    store, wall = place.open(), Wall()
    author: Author = started(store, name, wall)
    for index in range(rounds):
        calls(author, wall, 40, every=10 * SECOND, principals=("user:ada", "user:bob"))
        author.add([drafted(wall.now, blob=bytes([index]) * 5000), drafted(wall.now, blob=b"shared" * 1000)])
        author.join()
        while retain(author, store, SMALL, wall.now):
            pass
        if index == rounds // 2:
            forget(store, author, "user:bob")
    author.stop()


def forget(store: Store, author: Author, principal: str) -> None:
    """Erases as a person does who is told that somebody reads the journal meanwhile: again."""
    while True:
        try:
            erase(store, author, principal)
        except StoreError as error:
            assert "another process reads the journal" in str(error)
        else:
            return


def test_a_living_journal_is_whole_whenever_one_looks(place: Place) -> None:
    """And no false alarm is raised by what is written, erased and dropped while it is read."""
    place.open()  # so that the two need not wait for each other to make the tables
    threads = [threading.Thread(target=partial(busy, place, name, 12)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    found: list[Problem] = []
    looks = 0
    while any(thread.is_alive() for thread in threads) and not found:
        found += verify(place.open, {}, processes=1).problems
        looks += 1
    for thread in threads:
        thread.join()
    report = verify(place.open, {}, processes=1)
    assert (found, report.problems) == ([], ())
    assert looks > 1
    assert report.blobs > 0


def test_what_is_left_after_retention_is_whole_and_its_end_is_known(place: Place) -> None:
    store, wall = place.open(), Wall()
    author = started(store, "a", wall)
    calls(author, wall, 2500)
    wall.now += DAY
    while retain(author, store, SMALL, wall.now):
        pass
    assert verify(place.open, {"a": author.head}, processes=1).problems == ()
    cut = verify(place.open, {"a": Head(author.head.seq + 1, bytes(32))}, processes=1)
    assert [problem.kind for problem in cut.problems] == ["cut"]
