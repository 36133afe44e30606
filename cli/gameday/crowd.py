"""Load of its own on one tool: a process that calls at a fixed rate for some seconds, and what its callers saw."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.gameday.instance import ROOT, PrivateInstance, wait_for
from cli.gameday.measure import Sample, percentile

LAST = 15.0
"""Seconds within which the process has started, and within which its last calls have ended."""


@dataclass(frozen=True)
class Crowd:
    """`samples` of calls sent at `rate` calls a second."""

    rate: float
    samples: Sequence[Sample]

    @property
    def goodput(self) -> float:
        """Calls a second that were answered; the seconds are those in which that many calls fall due."""
        return len(self.admitted) / len(self.samples) * self.rate

    @property
    def admitted(self) -> list[float]:
        """Milliseconds of the calls that were answered."""
        return [sample.ms for sample in self.samples if sample.good]

    @property
    def shed(self) -> list[float]:
        """Milliseconds of the calls that were refused."""
        return [sample.ms for sample in self.samples if sample.code == "RESOURCE_EXHAUSTED"]

    @property
    def p99(self) -> float:
        return percentile(self.admitted, 0.99)

    @property
    def strange(self) -> list[Sample]:
        """Calls that ended in any other way, or were refused without a reason."""
        return [
            sample
            for sample in self.samples
            if not sample.good and (sample.code != "RESOURCE_EXHAUSTED" or not sample.reason)
        ]


async def crowd(instance: PrivateInstance, token: Path, target: str, args: str, rate: float, seconds: float) -> Crowd:
    """The load is open: who is slow to answer is not asked any more slowly."""
    out = instance.folder / "crowd.jsonl"
    options = {"address": f"127.0.0.1:{instance.ports['public']}", "token-file": token, "target": target, "args": args}
    options |= {"rate": rate, "out": out}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli.gameday.load", *words, cwd=ROOT)
    try:
        await asyncio.to_thread(wait_for, out.exists, LAST, "the load's process")
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LAST):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    samples = [Sample(**json.loads(line)) for line in out.read_text().splitlines()]
    out.unlink()
    return Crowd(rate, samples)
