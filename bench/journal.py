"""What the journal costs and how fast it answers: `python -m bench.journal`.

Calls as the gateway has them when they end are handed to the journal as fast as it takes them; the database is SQLite in a
temporary folder, or the one whose connection string is in --dsn-file. The figures: CPU on the call's path, rows a second,
memory while far too much comes, verification, and a session's tree out of all rows.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import copy
from itertools import islice
from pathlib import Path
from typing import Any

from bench.calls import ANSWER, calls
from gateway.adapters.journal.author import Author, new_writer
from gateway.adapters.journal.databases.open import open_store
from gateway.adapters.journal.heads import Heads, read_heads
from gateway.adapters.journal.proof.verify import verify
from gateway.adapters.journal.reading.reader import Reader
from gateway.adapters.journal.rows import CALL, read_header
from gateway.adapters.journal.writing.entries import Drafter, Entry
from gateway.adapters.journal.writing.make import make_journal
from gateway.call import Call
from gateway.config import Journal
from gateway.errors import Code
from gateway.ids import call_ids
from gateway.service import Finish

DONE = Finish()
BATCH = 500
SLICE = 50
"""Calls that end before the event loop looks elsewhere."""


class Bench:
    """A journal in `folder`, and calls to fill it with."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.settings = settings
        self.path_cpu: list[float] = []

    def journal(self, **changes: Any) -> Journal:
        return Journal.model_validate(self.settings | changes)

    async def fill(self, enough: Callable[[int], bool], **changes: Any) -> tuple[int, float, int]:
        """Ends calls until `enough` are written; rows, seconds, and the most bytes of memory that this process grew by."""
        settings = self.journal(**changes)
        loop = asyncio.get_running_loop()
        ready = prepared()
        journal = make_journal(
            settings, self.folder, version="bench", loop=loop, wall=time.time, random=random.random, committed=ignore
        )
        journal.start()
        while journal.missing() or not journal.report()["seq"]:  # noqa: ASYNC110 - another thread opens it
            await asyncio.sleep(0.001)
        before, peak = memory(), 0
        began = time.perf_counter()
        waiting: set[asyncio.Future[None]] = set()
        while not enough(journal.report().get("written", 0)):
            if journal.report()["queued_bytes"] * 4 < settings.buffer:
                batch = [next(ready) for _ in range(SLICE)]
                for future in self._end(journal, batch):
                    waiting.add(future)
                    future.add_done_callback(waiting.discard)
            await asyncio.sleep(0)
            peak = max(peak, memory() - before)
        seconds = time.perf_counter() - began
        written = journal.report()["written"]
        await asyncio.gather(*waiting)
        await asyncio.to_thread(journal.close, 60.0)
        return written, seconds, peak

    def _end(self, journal: Any, batch: list[Call]) -> list[asyncio.Future[None]]:
        began = time.thread_time()
        receipts = []
        for call in batch:
            journal.check()
            journal.answered(call, ANSWER)
            receipts.append(journal.ended(call, DONE))
        self.path_cpu.append((time.thread_time() - began) / len(batch) * 1e6)
        return [asyncio.ensure_future(receipt) for receipt in receipts if receipt is not None]

    async def flood(self, count: int) -> tuple[int, int]:
        """Ends `count` calls at once, whatever the journal makes of it: bytes of memory, and how many were lost."""
        loop, ready = asyncio.get_running_loop(), prepared()
        settings = self.journal()
        journal = make_journal(
            settings, self.folder, version="bench", loop=loop, wall=time.time, random=random.random, committed=ignore
        )
        journal.start()
        before, peak = memory(), 0
        for number in range(count):
            call = next(ready)
            journal.answered(call, ANSWER)
            journal.ended(call, DONE)
            if number % 1000 == 0:
                peak = max(peak, memory() - before)
        lost = journal.report()["lost"]
        await asyncio.to_thread(journal.close, 60.0)
        return peak, lost


def prepared() -> Iterator[Call]:
    return calls(call_ids(), time.monotonic)


def ignore(_seconds: float) -> None:
    """The metrics' place."""


def memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def grow(settings: Journal, folder: Path, rows: int) -> None:
    """Writes what is missing to `rows` rows, as the gateway would but for drafting each anew, which takes longest."""
    with (
        closing(open_store(settings, folder, durable=False)) as store,
        closing(Heads(folder / settings.heads)) as heads,
    ):
        drafter = Drafter(settings.inline, store.salt(), os.urandom)
        author = Author(store, new_writer(), time.time, heads)
        author.start({})
        first, last = store.bounds()
        ready, templates = prepared(), {}
        for _ in range(0, rows - (last - first + 1), BATCH):
            drafted = []
            for call in islice(ready, BATCH):
                child = bool(call.facts.parent)
                if child not in templates:
                    entry = Entry(CALL, call, DONE, Code.OK, "", time.time(), time.monotonic())
                    templates[child] = drafter.draft(entry)[0]
                draft = copy(templates[child])
                draft.at, draft.call, draft.decision = int(time.time() * 1_000_000), call.id, call.facts.decision
                draft.session, draft.parent = call.facts.session, call.facts.parent
                drafted.append((draft, ()))
            author.add(drafted)
        author.stop()


def trees(settings: Journal, folder: Path, count: int) -> list[float]:
    """Milliseconds for the tree of each of `count` sessions from all over the journal, the store opened anew for each."""
    store = open_store(settings, folder, durable=False)
    first, last = store.bounds()
    headers = [
        read_header(row[3])
        for position in random.Random(1).sample(range(first, last + 1), count)
        for row in store.scan(position, position)
    ]
    store.close()
    found = []
    for session in (header.session for header in headers if header.kind == CALL):
        began = time.perf_counter()
        store = open_store(settings, folder, durable=False)
        tree = Reader(store).session(session)
        found.append((time.perf_counter() - began) * 1000)
        assert sum(1 for _ in tree.walk()) > 0
        store.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.journal", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="rows in the journal that is verified and searched")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long rows are written for each figure")
    parser.add_argument("--folder", type=Path, help="keep the journal here and use it again; default: a temporary one")
    parser.add_argument(
        "--dsn-file", type=Path, help="a file with the connection string of an empty PostgreSQL database"
    )
    options = parser.parse_args()
    settings: dict[str, Any] = {"path": "journal.db", "heads": "heads"}
    if options.dsn_file:
        settings |= {"store": "postgresql", "dsn_file": str(options.dsn_file.resolve())}
    with tempfile.TemporaryDirectory(prefix="fb-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        run(Bench(folder, settings), options.rows, options.seconds)


def run(bench: Bench, rows: int, seconds: float) -> None:
    """Prints every figure."""
    for mode in ("best-effort", "required"):
        bench.path_cpu.clear()
        end = time.monotonic() + seconds
        written, took, peak = asyncio.run(bench.fill(lambda _n, end=end: time.monotonic() > end, mode=mode))
        print(f"{mode}: {written / took:,.0f} rows/s over {took:.0f} s, memory +{peak / 2**20:.0f} MiB")
        print(f"{mode}: {statistics.median(bench.path_cpu):.1f} µs of CPU on the call's path (median)")
    peak, lost = asyncio.run(bench.flood(200_000))
    print(f"200,000 calls at once: memory +{peak / 2**20:.0f} MiB at most, {lost:,} counted as lost")
    settings = bench.journal()
    grow(settings, bench.folder, rows)
    report = verify(
        functools.partial(open_store, settings, bench.folder, durable=False), read_heads(bench.folder / "heads")
    )
    assert not report.problems, report.problems
    print(f"verify: {report.rows / report.seconds:,.0f} rows/s over {report.rows:,} rows")
    times = trees(settings, bench.folder, 50)
    print(
        f"a session's tree out of {report.rows:,} rows: {statistics.median(times):.1f} ms (median of 50),"
        f" {max(times):.1f} ms at most"
    )


if __name__ == "__main__":
    main()
