"""One supervised process: started, logged, restarted with back-off when it ends, stopped with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
HEALTHY_AFTER = 30.0
"""Seconds of life after which a process that ends counts as a first failure again."""


@dataclass(frozen=True)
class Command:
    """What to run: the whole environment, nothing inherited."""

    name: str
    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    folder: Path


def _die_with_parent() -> None:
    """In the child: a launcher that is killed leaves nothing behind."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Supervised:
    """Keeps one process running until `stop`.

    Its output goes to `log`. `state` is a JSON file for `firebreak status`: pid, restarts, and the reason of the last end.
    """

    def __init__(self, command: Command, log: Path, state: Path, first_wait: float = FIRST_WAIT) -> None:
        self.command = command
        self.restarts = 0
        self.reason = ""
        self.exit_code: int | None = None
        self._log = log
        self._log_start = 0
        self._state = state
        self._first_wait = first_wait
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def run(self) -> None:
        """Returns when the process has ended after `stop`."""
        wait = self._first_wait
        while not self._stopping.is_set():
            started = time.monotonic()
            self.exit_code = code = await self._once()
            if self._stopping.is_set():
                return
            wait = self._first_wait if time.monotonic() - started > HEALTHY_AFTER else wait
            self.restarts += 1
            self.reason = f"{_how_it_ended(code)}; its log ends: {last_line(self._log)}"
            self._publish()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
            wait = min(wait * 2, LONGEST_WAIT)

    async def _once(self) -> int:
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = await self._start(log)
        self._publish()
        return await self._process.wait()

    async def _start(self, log: IO[bytes]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *map(str, self.command.arguments),
            env=dict(self.command.environment),
            cwd=self.command.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C on the terminal is the launcher's to pass on, in order
            preexec_fn=_die_with_parent,
        )

    def said(self) -> str:
        """The plain lines that it printed since its last start, without structured ones."""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("{"))

    def _publish(self) -> None:
        content = json.dumps({"pid": self.pid, "restarts": self.restarts, "reason": self.reason})
        partial = self._state.with_suffix(".part")
        partial.write_text(content)
        partial.replace(self._state)

    async def stop(self, grace: float) -> None:
        """Asks the process to end, and kills its whole group when it has not within `grace` seconds."""
        self._stopping.set()
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self._process.wait()), grace)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        self._stopping.set()
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _how_it_ended(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def last_line(log: Path, size: int = 8192) -> str:
    """The last line of a log that says something, shortened; a structured line's event alone."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return "(no log)"
    line = next((line.strip() for line in reversed(lines) if line.strip()), "(nothing)")
    with contextlib.suppress(ValueError):
        line = str(json.loads(line).get("event", line))
    return line if len(line) <= 300 else line[:299] + "…"


def put_aside(log: Path, size: int) -> None:
    """Renames a log of more than `size` bytes to NAME.log.1, over the one before it."""
    if log.stat().st_size > size:
        log.replace(log.with_name(log.name + ".1"))
