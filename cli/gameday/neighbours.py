"""The neighbours' process, as the day starts, reads and ends it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from cli.gameday.instance import ROOT, PrivateInstance
from cli.gameday.load import TIMEOUT
from cli.gameday.measure import Sample

NAME = "neighbour"
TARGET = "calculator"


class Neighbours:
    """Calls of "user:neighbour" to the calculator of one instance, from `start` to `stop`."""

    def __init__(self, instance: PrivateInstance) -> None:
        self._instance = instance
        self._file = instance.folder / "neighbours.jsonl"
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self._ended: set[int] = set()
        self._whole = 0
        self.samples: list[Sample] = []
        """Of the calls that have ended; `gather` adds to them."""

    def start(self, token_file: Path) -> None:
        """`token_file` is that of `instance.user(NAME, TARGET)`."""
        address = f"127.0.0.1:{self._instance.ports['public']}"
        options = ["--address", address, "--token-file", str(token_file), "--target", TARGET, "--out", str(self._file)]
        self._process = subprocess.Popen([sys.executable, "-m", "cli.gameday.load", *options], cwd=ROOT)

    async def stop(self) -> None:
        """Ends it when its last call has ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(self._process.wait, 30)
        self._process = None
        self.gather()

    async def settled(self, until: float, seconds: float = TIMEOUT + 2.0) -> int:
        """Waits until all calls due before `until` (monotonic seconds) have ended; answers how many have not in time."""
        end = time.monotonic() + seconds
        while self.running and time.monotonic() < end:
            self.gather()
            while self._whole in self._ended:
                self._whole += 1
            last = max((sample.number for sample in self.samples if sample.at < until), default=-1)
            if self._whole > last and any(sample.at >= until for sample in self.samples[-100:]):
                return 0
            await asyncio.sleep(0.05)
        return sum(number not in self._ended for number in range(self._whole, max(self._ended, default=-1)))

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def gather(self) -> list[Sample]:
        """Reads what has been written since; answers all samples."""
        if not self._file.exists():
            return self.samples
        with self._file.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._read += len(whole)
        new = [Sample(**json.loads(line)) for line in whole.splitlines()]
        self._ended.update(sample.number for sample in new)
        self.samples += new
        return self.samples
