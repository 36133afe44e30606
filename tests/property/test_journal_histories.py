"""Whatever writers, restarts, retention and erasure legally do to a journal, in any order, verification finds it whole."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.adapters.journal.author import Author
from gateway.adapters.journal.rows import LOST, Head, read_header
from gateway.adapters.journal.store import StoreError
from gateway.adapters.journal.upkeep.erase import erase
from gateway.adapters.journal.upkeep.retain import retain
from gateway.config import Retention
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore
from tests.unit.gateway.adapters.journal.written import DAY, HOUR, SECOND, T0, Wall, drafted, verified

people = st.sampled_from(["user:ada", "user:bob", "service:assistant"])
pauses = st.sampled_from([0, SECOND, HOUR, DAY, 5 * DAY])
whom = st.integers(0, 2)


class Notes:
    """Heads, without a disk."""

    def __init__(self) -> None:
        self.heads: dict[str, Head] = {}

    def note(self, writer: str, head: Head) -> None:
        self.heads[writer] = head

    def forget(self, writer: str, head: Head) -> Head | None:
        noted = self.heads.get(writer)
        if noted is not None and (noted.seq > head.seq or (noted.seq == head.seq and noted != head)):
            return noted
        self.heads.pop(writer, None)
        return None


class Journal(RuleBasedStateMachine):
    """Three gateways share one journal. Each has a clock of its own, minutes or days apart."""

    @initialize(
        skew=st.lists(st.sampled_from([0, 90 * SECOND, -HOUR, 3 * DAY, -20 * DAY]), min_size=3, max_size=3),
        times=st.sampled_from([("1h", "1h", "72h"), ("1h", "48h", "240h"), ("48h", "72h", "72h")]),
        size=st.sampled_from(["20KiB", "8GiB"]),
    )
    def begin(self, skew: list[int], times: tuple[str, str, str], size: str) -> None:
        self.store = MemoryStore()
        self.notes = Notes()
        self.names = 0
        self.walls = [Wall(T0 + each) for each in skew]
        self.retention = Retention(content=times[0], person=times[1], record=times[2], size=size)
        self.authors = [self.another(index) for index in range(3)]

    def another(self, index: int) -> Author:
        self.names += 1
        author = Author(self.store, f"w{self.names}", self.walls[index], self.notes)  # type: ignore[arg-type]
        author.start({})
        return author

    @rule(
        index=whom, principal=people, origin=people, count=st.integers(1, 150), blob=st.sampled_from([None, b"x", b"y"])
    )
    def calls(self, index: int, principal: str, origin: str, count: int, blob: bytes | None) -> None:
        at = self.walls[index].now
        self.authors[index].add(
            [drafted(at + each, principal=principal, origin=origin, blob=blob) for each in range(count)]
        )

    @rule(index=whom)
    def tells(self, index: int) -> None:
        self.authors[index].tell(LOST, {"count": 1})

    @rule(pause=pauses)
    def time_passes(self, pause: int) -> None:
        for wall in self.walls:
            wall.now += pause

    @rule(index=whom)
    def a_clock_goes_back(self, index: int) -> None:
        self.walls[index].now -= HOUR

    @rule(index=whom)
    def joins(self, index: int) -> None:
        self.authors[index].join()

    @rule(index=whom, clean=st.booleans())
    def restarts(self, index: int, clean: bool) -> None:
        if clean:
            self.authors[index].stop()
        self.authors[index] = self.another(index)

    @rule(index=whom, after=st.booleans())
    def the_store_fails_once(self, index: int, after: bool) -> None:
        error = StoreError("full")
        self.store.fail, self.store.fail_after = (None, error) if after else (error, None)
        with suppress(StoreError):
            self.authors[index].add([drafted(self.walls[index].now)])
        with suppress(StoreError):
            retain(self.authors[index], self.store, self.retention, self.walls[index].now)
        self.authors[index].flush()
        self.store.fail = self.store.fail_after = None

    @rule(index=whom)
    def one_step_of_retention(self, index: int) -> None:
        retain(self.authors[index], self.store, self.retention, self.walls[index].now)

    @rule(index=whom)
    def retention_runs_for_hours(self, index: int) -> None:
        """More than one: the pass of another gateway may have been a moment ago, and does as well."""
        wall = self.walls[index]
        for _ in range(6):
            wall.now += HOUR
            steps = 0
            while retain(self.authors[index], self.store, self.retention, wall.now):
                steps += 1
                assert steps < 1000, "retention never comes to an end"
        for row in self.store.rows.values():
            age = (wall.now - read_header(row.header).at) / SECOND
            assert row.content is None or age <= self.retention.content * 1.01
            assert row.person is None or age <= self.retention.person * 1.01

    @rule(index=whom, principal=people)
    def a_person_is_erased(self, index: int, principal: str) -> None:
        erase(self.store, self.authors[index], principal)
        assert all(principal not in (row.principal, row.origin) for row in self.store.rows.values())

    @invariant()
    def it_is_whole(self) -> None:
        if hasattr(self, "store"):
            assert verified(self.store, self.notes.heads).problems == ()


class TestJournal(Journal.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=60, stateful_step_count=30, report_multiple_bugs=False)
