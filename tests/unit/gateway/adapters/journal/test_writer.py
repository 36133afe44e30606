"""What the chain sees of the journal: it never waits longer than it says, never holds more than it may, and loses nothing
that it acknowledged.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.journal.heads import Heads
from gateway.adapters.journal.store import Batch, StoreError
from gateway.adapters.journal.writing.entries import Drafter
from gateway.adapters.journal.writing.intake import ENTRY, Queued
from gateway.adapters.journal.writing.session import Means
from gateway.adapters.journal.writing.writer import JournalWriter
from gateway.call import Call
from gateway.config import Journal
from gateway.errors import CallError, Reason
from gateway.service import Finish
from tests.unit.gateway.adapters.journal.scripted_store import ScriptedStore, busy
from tests.unit.gateway.chain_fakes import call, permitted, target, tool_request

REQUEST = len(tool_request())


@dataclass
class Disk(ScriptedStore):
    """A store whose transactions wait while `works` is clear."""

    works: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.works.set()

    def append(self, batch: Batch) -> None:
        assert self.works.wait(30)
        super().append(batch)


class World:
    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.disk = Disk()
        settings.setdefault("inline", "512B")
        loop = asyncio.get_running_loop()

        def means(resolve: Callable[[list[tuple[Queued, bool]]], None]) -> Means:
            return Means(
                open_store=lambda: self.disk,  # type: ignore[arg-type,return-value]
                open_heads=lambda: Heads(folder),
                make_drafter=lambda salt: Drafter(4096, salt, bytes),
                retain=lambda author, store, now: False,
                facts={},
                wall=time.time,
                clock=loop.time,
                random=lambda: 0.0,
                committed=lambda seconds: None,
                resolve=resolve,
            )

        self.writer = JournalWriter(Journal.model_validate(settings), means, loop, loop.time, time.time)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.001)

    async def close(self, timeout: float = 10.0) -> None:
        await asyncio.to_thread(self.writer.close, timeout)


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[World]:
    world = World(folder, settings)
    world.writer.start()
    await world.until(lambda: not world.writer.health.failing)
    try:
        yield world
    finally:
        world.disk.works.set()
        await world.close()


def made(name: str = "a", **journal: str) -> Call:
    calling = permitted(call(), target(journal=journal))
    calling.facts.resolved = calling.target
    object.__setattr__(calling, "id", name * 32)
    return calling


async def kept(world: World, calling: Call) -> None:
    receipt = world.writer.ended(calling, Finish())
    assert receipt is not None
    await receipt


async def reason_of(waiting: Any) -> Reason:
    with pytest.raises(CallError) as caught:
        await waiting
    return caught.value.reason


async def test_best_effort_returns_at_once_and_the_call_is_on_record(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        assert not world.writer.required
        world.writer.check()
        assert world.writer.ended(made(), Finish()) is None
        await world.until(world.disk.calls)
        assert world.disk.calls() == ["a" * 32]


async def test_required_waits_until_the_record_is_written(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required") as world:
        world.disk.works.clear()
        waiting = asyncio.ensure_future(kept(world, made()))
        await world.until(lambda: not len(world.writer.intake))
        assert not waiting.done()
        world.disk.works.set()
        await waiting
        assert world.disk.calls() == ["a" * 32]


async def test_required_waits_for_a_hanging_disk_no_longer_than_its_timeout(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required", timeout="50ms") as world:
        world.disk.works.clear()
        before = asyncio.get_running_loop().time()
        assert await reason_of(kept(world, made("a"))) is Reason.ANSWER_WITHHELD
        assert await reason_of(world.writer.opened(made("b"))) is Reason.JOURNAL_UNAVAILABLE
        assert asyncio.get_running_loop().time() - before < 5
        world.disk.works.set()
        await kept(world, made("c"))
        assert world.disk.calls() == ["a" * 32, "c" * 32], "what was given up on is on record all the same"


async def test_a_call_is_announced_before_anybody_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required") as world:
        await world.writer.opened(made())
        assert world.disk.kinds() == ["started", "opened"]


async def test_a_record_that_nobody_waits_for_is_written_too(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    async with running(tmp_path, mode="required") as world:
        world.writer.ended(made(), asyncio.CancelledError())
        gc.collect()
        await world.until(world.disk.calls)
    assert list(recwarn) == []


async def test_a_waiter_that_is_cancelled_harms_no_other(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required") as world:
        world.disk.works.clear()
        first, second = (asyncio.ensure_future(kept(world, made(name))) for name in "ab")
        await asyncio.sleep(0)
        first.cancel()
        world.disk.works.set()
        await second
        assert first.cancelled()
        await world.until(lambda: len(world.disk.calls()) == 2)


async def test_required_refuses_before_it_is_open_and_while_it_fails_and_takes_calls_again(tmp_path: Path) -> None:
    world = World(tmp_path, {"mode": "required"})
    with pytest.raises(CallError) as caught:
        world.writer.check()
    assert (caught.value.reason, caught.value.retry_after) == (Reason.JOURNAL_UNAVAILABLE, 1.0)
    assert world.writer.missing() == {"journal": "the journal is not open yet"}
    async with running(tmp_path, mode="required") as world:
        world.writer.check()
        assert world.writer.missing() == {}
        world.disk.refuse = busy
        world.writer.ended(made(), Finish())
        await world.until(lambda: world.writer.health.failing)
        with pytest.raises(CallError):
            world.writer.check()
        assert world.writer.missing() == {"journal": "the journal is busy"}
        world.disk.refuse = lambda batch: None
        await world.until(lambda: not world.writer.health.failing)
        world.writer.check()
        assert world.disk.calls() == ["a" * 32]


async def test_best_effort_is_ready_even_while_it_fails(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    assert world.writer.missing() == {}
    world.writer.check()


async def test_required_refuses_calls_while_half_of_the_buffer_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required", buffer="64KiB") as world:
        world.disk.works.clear()
        for _ in range(8):
            world.writer.check()
            world.writer.ended(made(), Finish())
        with pytest.raises(CallError):
            world.writer.check()
        world.disk.works.set()
        await world.until(lambda: not world.writer.intake.crowded)
        world.writer.check()


async def test_best_effort_counts_what_finds_no_room_and_tells_it_once_there_is_some(tmp_path: Path) -> None:
    limit = 8 * 1024
    async with running(tmp_path, buffer="8KiB") as world:
        world.disk.works.clear()
        for _ in range(10):
            world.writer.ended(made(), Finish())
            assert world.writer.intake.bytes <= limit
        assert world.writer.losses.total == 9
        world.disk.works.set()
        await world.until(lambda: "lost" in world.disk.kinds())
        lost = next(header for header in world.disk.headers() if header.kind == "lost")
        assert lost.facts["count"] == 9
        assert lost.facts["bytes"] == 9 * (ENTRY + REQUEST)
        assert len(world.disk.calls()) == 1
        await world.until(lambda: not world.writer.intake.bytes)


async def test_a_required_record_that_finds_no_room_withholds_the_answer_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required", buffer="1KiB") as world:
        assert await reason_of(kept(world, made())) is Reason.ANSWER_WITHHELD
        assert await reason_of(world.writer.opened(made())) is Reason.JOURNAL_UNAVAILABLE


@pytest.mark.parametrize(
    ("recording", "captured"), [("full", [b"123"]), ("masked", [b"123"]), ("hashed", [b"123"]), ("none", [])]
)
async def test_answers_are_kept_as_far_as_the_target_asks_for(
    tmp_path: Path, recording: str, captured: list[bytes]
) -> None:
    world, calling = World(tmp_path, {}), made(answers=recording)
    world.writer.answered(calling, b"123")
    assert calling.facts.answers == captured
    assert world.writer.intake.bytes == 3 * len(captured)


@pytest.mark.parametrize(("recording", "captured"), [("full", [b"12", b"3"]), ("hashed", [b"12", b"3"]), ("none", [])])
async def test_a_streamed_request_is_kept_as_far_as_the_target_asks_for(
    tmp_path: Path, recording: str, captured: list[bytes]
) -> None:
    world, calling = World(tmp_path, {}), made(requests=recording)
    world.writer.asked(calling, b"12")
    world.writer.asked(calling, b"3")
    assert calling.facts.asks == captured
    assert world.writer.intake.bytes == sum(map(len, captured))


@pytest.mark.parametrize(("size", "cut"), [(1024, False), (1025, True)])
async def test_a_streamed_request_that_finds_no_room_is_cut_and_counted(tmp_path: Path, size: int, cut: bool) -> None:
    world, calling = World(tmp_path, {"buffer": "1KiB"}), made()
    world.writer.asked(calling, b"x" * size)
    assert (calling.facts.asks_cut, world.writer.losses.cut) == (cut, int(cut))
    world.writer.asked(calling, b"")
    assert len(calling.facts.asks) == (0 if cut else 2), "nothing is kept behind a gap"


async def test_required_withholds_the_answer_to_a_request_that_could_not_be_kept(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required", buffer="64KiB") as world:
        calling = made()
        world.writer.asked(calling, b"x" * 100_000)
        assert await reason_of(kept(world, calling)) is Reason.ANSWER_WITHHELD
        await world.until(world.disk.calls)


async def test_a_streamed_request_is_let_go_once_it_is_written(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required") as world:
        calling = made()
        world.writer.asked(calling, b"x" * 1000)
        await kept(world, calling)
        await world.until(lambda: world.writer.intake.bytes == 0)


async def test_the_gateways_own_answers_are_kept(tmp_path: Path) -> None:
    world, calling = World(tmp_path, {}), call()
    world.writer.answered(calling, b"123")
    assert calling.facts.answers == [b"123"]


@pytest.mark.parametrize(("size", "cut"), [(1024, False), (1025, True)])
async def test_answers_that_find_no_room_are_cut_and_counted(tmp_path: Path, size: int, cut: bool) -> None:
    world, calling = World(tmp_path, {"buffer": "1KiB"}), made()
    world.writer.answered(calling, b"x" * size)
    assert (calling.facts.answers_cut, world.writer.losses.cut) == (cut, int(cut))
    world.writer.answered(calling, b"")
    assert len(calling.facts.answers) == (0 if cut else 2), "nothing is kept behind a gap"


async def test_required_withholds_an_answer_that_could_not_be_kept(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required", buffer="64KiB") as world:
        calling = made()
        world.writer.answered(calling, b"x" * 100_000)
        assert await reason_of(kept(world, calling)) is Reason.ANSWER_WITHHELD
        await world.until(world.disk.calls)


async def test_answers_of_a_call_that_finds_no_room_are_let_go(tmp_path: Path) -> None:
    world, calling = World(tmp_path, {"buffer": "4KiB"}), made()
    world.writer.answered(calling, b"x" * 1000)
    world.writer.ended(calling, Finish())
    assert (world.writer.intake.bytes, world.writer.losses.total) == (0, 1)


async def test_an_error_takes_no_frames_into_the_queue(tmp_path: Path) -> None:
    class Canary:
        """Stands for what a frame holds."""

    def fails(canary: Canary) -> CallError:
        try:
            raise CallError(Reason.RATE_LIMITED, "later", retry_after=2.0)
        except CallError as error:
            return error

    world, canary = World(tmp_path, {}), Canary()
    watch, error = weakref.ref(canary), fails(canary)
    world.writer.ended(made(), error)
    del canary, error
    gc.collect()
    assert watch() is None
    (item,) = world.writer.intake.take(1, 1)
    kept = item.entry.outcome
    assert isinstance(kept, CallError)
    assert (kept.reason, kept.message, kept.retry_after) == (Reason.RATE_LIMITED, "later", 2.0)


@pytest.mark.parametrize(("reason", "waits"), [(Reason.REQUEST_TOO_LARGE, False), (Reason.RATE_LIMITED, True)])
async def test_what_was_refused_for_its_size_takes_no_room_of_others(
    tmp_path: Path, reason: Reason, waits: bool
) -> None:
    world, calling = World(tmp_path, {}), made()
    world.writer.ended(calling, CallError(reason, "no"))
    (item,) = world.writer.intake.take(1, 1)
    assert bool(item.entry.call.request) is waits
    assert item.size == ENTRY + (len(calling.request) if waits else 0)


async def test_parsed_arguments_do_not_wait_in_the_queue_beside_the_request(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required") as world:
        world.disk.works.clear()
        calling = made()
        document = calling.facts.document = {"args": {"expression": "1"}, "prompt": None}
        opening = asyncio.ensure_future(world.writer.opened(calling))
        await asyncio.sleep(0)
        assert calling.facts.document is document, "the call goes on, and policy may be asked again"
        world.writer.ended(calling, Finish())
        assert calling.facts.document == {"args": None, "prompt": None}
        assert document["args"] == {"expression": "1"}
        world.disk.works.set()
        await opening


async def test_closing_writes_what_is_queued_and_the_last_row(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        for name in "abc":
            world.writer.ended(made(name), Finish())
        await world.close()
        assert world.disk.calls() == [name * 32 for name in "abc"]
        assert world.disk.kinds()[-1] == "stopped"


async def test_closing_does_not_wait_for_a_disk_that_hangs_and_says_what_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as world:
        world.disk.works.clear()
        world.writer.ended(made(), Finish())
        with caplog.at_level(logging.WARNING):
            await world.close(0.2)
        assert "the journal ends without 1 records" in caplog.text


async def test_closing_tries_again_until_its_time_is_over(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        fail = [StoreError("busy")] * 2
        world.disk.refuse = lambda batch: fail.pop() if fail else None
        world.writer.ended(made(), Finish())
        await world.close()
        assert (world.disk.calls(), fail) == (["a" * 32], [])


async def test_closing_one_that_never_started_is_nothing(tmp_path: Path) -> None:
    await World(tmp_path, {}).close()


async def test_the_report_tells_all(tmp_path: Path) -> None:
    async with running(tmp_path, mode="required") as world:
        await kept(world, made())
        report = world.writer.report()
        head = max(world.disk.rows.values(), key=lambda row: row.seq)
        assert report == {
            "mode": "required", "store": "sqlite", "writer": head.writer, "seq": 2, "head": head.hash.hex(), "queued": 0,
            "queued_bytes": 0, "written": 1, "lost": 0, "cut": 0, "failing": "", "unnoted": "",
        }  # fmt: skip


async def test_what_waits_in_a_transaction_that_is_under_way_is_queued_too(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.disk.works.clear()
        for name in "abc":
            world.writer.ended(made(name), Finish())
        await world.until(lambda: not len(world.writer.intake) and world.writer.report()["queued"] == 3)
        world.disk.works.set()
        await world.until(lambda: world.writer.report()["written"] == 3)
        assert world.writer.report()["queued"] == 0
