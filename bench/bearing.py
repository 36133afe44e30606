"""What Redis and PostgreSQL bear, which all replicas share."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import cpu
from bench.fleet import Fleet
from bench.journal import Bench
from gateway.adapters.quotas.redis_store import RedisStore
from gateway.config import Quotas

AT_ONCE = 32
WRITERS = 2
PATIENCE = 30.0
"""Seconds more for a first row."""
BUFFER = "8MiB"
"""Of each writer: what it holds back at the end is written before the next figure."""


@dataclass(frozen=True, slots=True)
class Redis:
    """Questions a second that one process asked, and CPU seconds of Redis for one."""

    asked: float
    question: float

    @property
    def per_core(self) -> float:
        """Questions a second that one core is enough for; Redis uses no more."""
        return 1 / self.question


async def redis(fleet: Fleet, seconds: float) -> Redis:
    """The gateway's own question, for eight buckets that are never empty, as fast as this process can ask."""
    store = RedisStore(Quotas(redis=fleet.redis.address, timeout="5s"), Path())  # type: ignore[arg-type]
    end, asked = time.perf_counter() + seconds, 0

    async def ask(bucket: int) -> None:
        nonlocal asked
        while True:
            await store.take(f"bench-{bucket % 8}", 1e6, 1_000_000)
            asked += 1
            if time.perf_counter() > end:
                return

    before, began = cpu.family(fleet.redis.pid), time.perf_counter()
    await asyncio.gather(*(ask(number) for number in range(AT_ONCE)))
    took, used = time.perf_counter() - began, cpu.family(fleet.redis.pid) - before
    await store.close()
    return Redis(asked / took, used / asked)


def rows(fleet: Fleet, mode: str, seconds: float) -> float:
    """Rows a second that two writers of journals, each a process of its own, get into one PostgreSQL together."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(WRITERS)
    with ProcessPoolExecutor(WRITERS, context, together.wait, (120,)) as pool:
        work = [pool.submit(_write, fleet.folder / "dsn", mode, seconds) for _ in range(WRITERS)]
        return sum(each.result() for each in work)


def _write(dsn_file: Path, mode: str, seconds: float) -> float:
    """Rows a second of one writer."""
    settings: dict[str, Any] = {"heads": "heads", "store": "postgresql", "dsn_file": str(dsn_file), "buffer": BUFFER}
    with tempfile.TemporaryDirectory(prefix="fb-") as folder:
        bench = Bench(Path(folder), settings)
        written, took, _ = asyncio.run(bench.fill(_for(seconds), mode=mode))
        return written / took


def _for(seconds: float) -> Callable[[int], bool]:
    """Whether it is enough: not before a first row, and so long after it was first asked, when the database is open."""
    end = 0.0

    def enough(written: int) -> bool:
        nonlocal end
        end = end or time.monotonic() + seconds
        return time.monotonic() > end + (0.0 if written else PATIENCE)

    return enough
