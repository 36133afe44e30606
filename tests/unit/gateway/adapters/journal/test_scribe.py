"""Turn by turn, without a thread: everything queued is written once, in order, whatever the store does in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.adapters.journal.author import Author
from gateway.adapters.journal.heads import Heads, read_heads
from gateway.adapters.journal.rows import Head
from gateway.adapters.journal.store import Batch, Store, StoreError
from gateway.adapters.journal.writing.entries import Drafter, Entry
from gateway.adapters.journal.writing.health import Health
from gateway.adapters.journal.writing.intake import Intake, Losses, Queued
from gateway.adapters.journal.writing.scribe import Scribe
from gateway.adapters.journal.writing.session import Means
from gateway.errors import Code
from gateway.service import Finish
from tests.unit.gateway.adapters.journal.scripted_store import SALT, ScriptedStore, busy, corrupt
from tests.unit.gateway.chain_fakes import START, call

WALL = 1_700_000_000.0


class World:
    """A scribe over a scripted store; `random` is at its middle, so that waits are three quarters of their ceiling."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ScriptedStore()
        self.open: Callable[[], Store] = lambda: self.store  # type: ignore[return-value,assignment]
        self.intake, self.losses, self.health = Intake(1_000_000), Losses(), Health()
        self.now, self.wall, self.number = START, WALL, 0
        self.more: list[bool] = []
        self.unreadable = False
        self.retained: list[int] = []
        self.commits: list[float] = []
        self.resolved: list[tuple[str, bool]] = []
        self.poison: set[str] = set()
        self.heads: Callable[[], Heads] = lambda: Heads(folder)
        means = Means(
            open_store=lambda: self.open(),
            open_heads=lambda: self.heads(),
            make_drafter=self._drafter,
            retain=self._retain,
            facts={"gateway": "0.1.0"},
            wall=lambda: self.wall,
            clock=lambda: self.now,
            random=lambda: 0.5,
            committed=self.commits.append,
            resolve=lambda waited: self.resolved.extend((item.entry.call.id, kept) for item, kept in waited),
        )
        self.scribe = Scribe(self.intake, self.losses, self.health, means)

    def _drafter(self, salt: bytes) -> Drafter:
        assert salt == SALT
        world = self

        class Poisoned(Drafter):
            def draft(self, entry: Entry):  # type: ignore[no-untyped-def]
                if entry.call.id in world.poison:
                    raise ZeroDivisionError
                return super().draft(entry)

        return Poisoned(4096, salt, bytes)

    def _retain(self, author: Author, store: Store, now: int) -> bool:
        self.retained.append(now)
        if self.unreadable:
            raise StoreError("a row about the journal cannot be read", passing=False)
        return bool(self.more) and self.more.pop()

    def put(self, count: int = 1, waiter: asyncio.Future[bool] | None = None, size: int = 5000) -> list[str]:
        """Queues calls; returns their ids."""
        ids = []
        for _ in range(count):
            self.number += 1
            made = call()
            object.__setattr__(made, "id", f"{self.number:032x}")
            assert self.intake.reserve(size)
            entry = Entry("call", made, Finish(), Code.OK, "", self.wall, self.now)
            self.intake.put(Queued(entry, size, waiter))
            ids.append(made.id)
        return ids


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "heads")


def test_the_first_turn_opens_the_store_and_begins_a_chain(world: World) -> None:
    assert world.health.failing
    assert world.scribe.turn() == 60.0
    assert world.store.kinds() == ["started"]
    assert world.store.headers()[0].facts == {"gateway": "0.1.0", "heads": {}}
    assert (world.health.failing, world.health.head.seq) == ("", 1)
    assert world.health.writer == world.store.headers()[0].writer


def test_what_is_queued_is_written_in_one_transaction_and_its_memory_released(world: World) -> None:
    ids = world.put(3)
    world.scribe.turn()
    assert world.store.calls() == ids
    assert world.store.batches == [1, 3]
    assert (world.health.written, world.intake.bytes, world.scribe.left, len(world.commits)) == (3, 0, 0, 1)
    assert read_heads(world.folder) == {world.health.writer: world.health.head}


def test_a_transaction_has_at_most_500_rows_and_the_rest_comes_at_once(world: World) -> None:
    ids = world.put(501, size=100)
    assert world.scribe.turn() == 0.0
    assert world.store.batches == [1, 500]
    assert world.scribe.turn() == 60.0
    assert world.store.calls() == ids


def test_a_transaction_has_at_most_4_mib(world: World) -> None:
    world.intake = world.scribe._intake = Intake(10 * 1024**2)
    world.put(3, size=2 * 1024**2)
    assert world.scribe.turn() == 0.0
    assert world.store.batches == [1, 2]


async def test_who_waits_is_told_when_it_is_written_and_not_before(world: World) -> None:
    waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    world.store.refuse = busy
    (name,) = world.put(1, waiter)
    world.scribe.turn()
    assert world.resolved == []
    world.store.refuse = lambda batch: None
    world.scribe.turn()
    assert world.resolved == [(name, True)]


@pytest.mark.parametrize("error", [StoreError("busy"), StoreError("corrupt", passing=False), OSError("bug")])
def test_a_failed_transaction_is_made_up_for_once_and_in_order(world: World, error: Exception) -> None:
    world.scribe.turn()
    fail = [error]
    world.store.refuse = lambda batch: fail.pop() if fail else None
    first = world.put(3)
    world.scribe.turn()
    assert world.health.failing
    assert (world.store.calls(), world.scribe.left, world.intake.bytes) == ([], 3, 15_000)
    second = world.put(2)
    while world.scribe.left:
        world.scribe.turn()
    assert world.store.calls() == first + second
    assert (world.health.failing, world.intake.bytes, world.losses.total) == ("", 0, 0)


def test_a_transaction_that_took_effect_before_its_error_is_not_repeated(world: World) -> None:
    world.scribe.turn()
    append, fail = world.store.append, [StoreError("connection lost")]

    def late(batch: Batch) -> None:
        append(batch)
        if fail:
            raise fail.pop()

    world.store.append = late  # type: ignore[method-assign]
    ids = world.put(2)
    world.scribe.turn()
    world.scribe.turn()
    assert world.store.calls() == ids


def test_it_waits_longer_after_each_failure_up_to_five_seconds(world: World) -> None:
    world.store.refuse = busy
    waits = [world.scribe.turn() for _ in range(9)]
    assert waits == pytest.approx([0.075, 0.15, 0.3, 0.6, 1.2, 2.4, 3.75, 3.75, 3.75])
    world.store.refuse = lambda batch: None
    world.scribe.turn()
    world.store.refuse = busy
    world.put()
    assert world.scribe.turn() == pytest.approx(0.075)


def test_a_store_that_cannot_be_opened_is_tried_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def shut() -> Store:
        raise StoreError("no such folder")

    opens, world.open = world.open, shut
    ids = world.put(2)
    for _ in range(3):
        world.scribe.turn()
    assert (world.health.failing, world.scribe.left) == ("no such folder", 2)
    world.open = opens
    with caplog.at_level(logging.INFO):
        world.scribe.turn()
    assert world.store.calls() == ids
    assert "the journal is written" in caplog.text


def test_the_same_failure_is_logged_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.store.refuse = busy
    for _ in range(3):
        world.scribe.turn()
    assert [record.message for record in caplog.records] == ["the journal cannot be written: the journal is busy"]


def test_a_folder_for_heads_that_cannot_be_made_is_said_and_the_store_closed(world: World) -> None:
    world.folder.write_text("a file where the folder should be")
    world.scribe.turn()
    assert "the folder for the chains' heads cannot be made" in world.health.failing
    assert world.store.closed == 1


def test_a_head_that_cannot_be_noted_is_told_but_stops_nothing(world: World) -> None:
    class Full(Heads):
        def note(self, writer: str, head: Head) -> None:
            raise OSError(28, "No space left on device")

    world.heads = lambda: Full(world.folder)
    ids = world.put()
    world.scribe.turn()
    assert world.store.calls() == ids
    assert world.health.unnoted == "the end of the chain could not be noted: No space left on device"


def test_a_corrupt_store_is_opened_anew_with_a_chain_of_its_own(world: World) -> None:
    world.scribe.turn()
    old, world.store.refuse = world.health.writer, corrupt
    ids = world.put(2)
    world.scribe.turn()
    assert world.store.closed == 1
    world.store = ScriptedStore()
    while world.scribe.left:
        world.scribe.turn()
    assert world.health.writer != old
    assert (world.store.kinds()[0], world.store.calls()) == ("started", ids)


async def test_one_entry_that_the_store_never_takes_is_lost_and_the_others_are_not(world: World) -> None:
    ids, waiter = world.put(3), asyncio.get_running_loop().create_future()
    (bad,) = world.put(1, waiter)
    ids += world.put(3)
    world.store.refuse = lambda batch: corrupt(batch) if _has_call(batch, bad) else None
    for _ in range(30):
        world.scribe.turn()
    assert world.store.calls() == ids
    lost = [header for header in world.store.headers() if header.kind == "lost"]
    assert [(header.call, header.facts["count"]) for header in lost] == [(bad, 1)]
    assert (world.losses.total, world.intake.bytes, world.resolved) == (1, 0, [(bad, False)])


def _has_call(batch: Batch, name: str) -> bool:
    return any('"call","' + name in row.header for row in batch.rows)


def test_an_entry_that_cannot_be_drafted_is_lost_by_name_and_the_others_are_not(world: World) -> None:
    first, bad, last = world.put(3)
    world.poison.add(bad)
    world.scribe.turn()
    assert world.store.calls() == [first, last]
    lost = world.store.headers()[2]
    assert (lost.kind, lost.call, lost.facts["why"]) == ("lost", bad, "its record could not be made")
    assert (world.losses.total, world.health.failing, world.intake.bytes) == (1, "", 0)


def test_an_undraftable_entry_is_counted_once_however_often_it_is_written(world: World) -> None:
    world.scribe.turn()
    (bad,) = world.put()
    world.poison.add(bad)
    world.store.refuse = corrupt
    world.scribe.turn()
    assert world.losses.total == 0
    world.store.refuse = lambda batch: None
    world.scribe.turn()
    assert world.losses.total == 1


def test_losses_are_told_as_soon_as_writing_works_again(world: World) -> None:
    world.store.refuse = busy
    world.scribe.turn()
    world.losses.add(1_000, 10)
    world.losses.add(2_000, 20)
    world.scribe.turn()
    world.store.refuse = lambda batch: None
    world.scribe.turn()
    assert world.store.kinds() == ["started", "lost"]
    why = "the journal's buffer was full"
    expected = {"count": 2, "since": 1_000, "until": 2_000, "bytes": 30, "why": why}
    assert world.store.headers()[1].facts == expected
    assert world.scribe.left == 0


@pytest.mark.parametrize("error", [busy, corrupt])
def test_losses_that_could_not_be_told_are_told_once(world: World, error: Callable[[Batch], StoreError]) -> None:
    world.scribe.turn()
    world.losses.add(1_000, 10)
    world.store.refuse = error
    world.scribe.turn()
    world.store.refuse = lambda batch: None
    world.losses.add(2_000, 10)
    while world.scribe.left:
        world.scribe.turn()
    lost = [header.facts["count"] for header in world.store.headers() if header.kind == "lost"]
    assert sum(lost) == 2


def test_other_chains_are_joined_and_retention_runs_each_minute(world: World) -> None:
    world.scribe.turn()
    assert (world.retained, world.store.kinds()) == ([], ["started"])
    world.store.foreign["other"] = Head(7, bytes(32))
    world.now += 59.9
    assert world.scribe.turn() == pytest.approx(0.1)
    assert world.retained == []
    world.now += 0.1
    assert world.scribe.turn() == 60.0
    assert world.store.kinds() == ["started", "joined"]
    assert world.retained == [int(WALL * 1_000_000)]


def test_retention_that_has_more_to_do_goes_on_at_once_and_lets_calls_through(world: World) -> None:
    world.scribe.turn()
    world.more = [False, True, True]
    world.now += 60
    assert world.scribe.turn() == 0.0
    ids = world.put()
    assert world.scribe.turn() == 0.0
    assert world.store.calls() == ids
    assert world.scribe.turn() == 60.0
    assert len(world.retained) == 3


def test_retention_that_cannot_work_stops_no_call_and_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.scribe.turn()
    world.unreadable = True
    world.now += 60
    ids = world.put()
    assert world.scribe.turn() == 60.0
    assert (world.store.calls(), world.health.failing) == (ids, "")
    assert "retention does not work: a row about the journal cannot be read" in caplog.text
    assert world.store.kinds().count("started") == 1


def test_chores_are_done_under_load_too(world: World) -> None:
    world.scribe.turn()
    world.now += 60
    world.put(501, size=100)
    assert world.scribe.turn() == 0.0
    assert len(world.retained) == 1


def test_the_head_is_named_in_the_log_every_five_minutes_and_at_the_end(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def witnesses() -> list[tuple[str, int, str]]:
        found = [record for record in caplog.records if record.message == "journal head"]
        return [(vars(each)["writer"], vars(each)["seq"], vars(each)["hash"]) for each in found]

    with caplog.at_level(logging.INFO):
        world.scribe.turn()
        world.now += 299
        world.scribe.turn()
        assert witnesses() == []
        world.now += 1
        world.scribe.turn()
        assert witnesses() == [(world.health.writer, 1, world.health.head.hash.hex())]
        world.scribe.end()
        assert witnesses()[1:] == [(world.health.writer, 2, world.health.head.hash.hex())]


def test_the_end_writes_the_last_row_and_closes(world: World) -> None:
    world.scribe.turn()
    world.scribe.end()
    assert world.store.kinds() == ["started", "stopped"]
    assert world.store.closed == 1
    world.scribe.end()
    assert world.store.closed == 1


def test_a_store_that_fails_at_the_end_is_only_closed(world: World) -> None:
    world.scribe.turn()
    world.store.refuse = busy
    world.put()
    world.scribe.turn()
    world.scribe.end()
    assert (world.store.kinds(), world.store.closed, world.scribe.left) == (["started"], 1, 1)


def test_a_clock_that_jumps_back_is_told_and_times_stand_still(world: World) -> None:
    world.put()
    world.scribe.turn()
    world.wall -= 3600
    world.put(2)
    world.scribe.turn()
    assert world.store.kinds() == ["started", "call", "clock", "call", "call"]
    assert len({header.at for header in world.store.headers()}) == 1
