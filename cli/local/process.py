"""One supervised process: started, logged, restarted with back-off when it ends, stopped with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cli.local.logs import last_line
from cli.local.sandbox.cgroups import Entry, Group, Unbounded
from cli.local.sandbox.claims import Claims
from cli.local.sandbox.inside import first_process, hears

# What becomes the process: the kernel kills it with its launcher (PR_SET_PDEATHSIG), so that one that is killed leaves nothing
# behind, and it is in its control groups before it can start anything. It does so itself, since code between fork and exec is
# not safe in a launcher that has threads. The workers' group it hands on, open, as there are no groups to be seen in a sandbox.
_START = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
parent, workers, groups = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
files, command = sys.argv[4 : 4 + groups], sys.argv[4 + groups :]
if os.getppid() != parent:
    sys.exit("the launcher has ended")
for file in files:
    try:
        with open(file, "w") as group:
            group.write(str(os.getpid()))
    except OSError as error:
        sys.exit(f"it cannot be bounded by {file}: {error.strerror}")
if workers:
    descriptor = os.open(workers, os.O_WRONLY)
    os.set_inheritable(descriptor, True)
    command += ["--workers-group", str(descriptor)]
program = command[0]
try:
    os.execv(program, command)
except OSError as error:
    sys.exit(f"{program} cannot be started: {error.strerror}")
"""
_KILLED = 128
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
HEALTHY_AFTER = 30.0
"""Seconds of life after which a process that ends counts as a first failure again."""


@dataclass(frozen=True)
class Command:
    """What to run: the whole environment, nothing inherited, within the bounds of `group`.

    With `apart` it is bubblewrap: the process that is meant is the one that it starts.
    """

    name: str
    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    folder: Path
    group: Group = field(default_factory=lambda: Unbounded(""))
    apart: bool = False
    claims: Claims | None = None


class Supervised:
    """Keeps one process running until `stop`.

    Its output goes to `log`. `state` is a JSON file for `firebreak status`: pid, restarts, the reason of the last end, `next`,
    why a newer version is not in use, and what is claimed of its sandbox. Without `state` nothing is written until `publish`
    names the file.
    """

    def __init__(self, command: Command, log: Path, state: Path | None = None, first_wait: float = FIRST_WAIT) -> None:
        self.command = command
        self.restarts = 0
        self.reason = ""
        self.next = ""
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
            reason = await self._life()
            if self._stopping.is_set():
                return
            wait = self._first_wait if time.monotonic() - started > HEALTHY_AFTER else wait
            self.restarts += 1
            self.reason = reason
            self._publish()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
            wait = min(wait * 2, LONGEST_WAIT)

    async def _life(self) -> str:
        """From start to end; why it ended."""
        try:
            self.exit_code = code = await self._once()
        except OSError as error:  # no process, memory or disk is left: the others must not end for it
            return f"it cannot be started: {error.strerror or error}"
        return f"{_how_it_ended(code, self.command.apart)}; its log ends: {last_line(self._log)}"

    async def _once(self) -> int:
        try:
            entry = self.command.group.enter()
            with self._log.open("ab") as log:
                self._log_start = log.tell()
                self._process = await self._start(log, entry)
            if self._stopping.is_set():  # asked for while it was being started
                self.kill()
            self._publish()
            return await self._process.wait()
        finally:
            await self.command.group.leave()

    async def _start(self, log: IO[bytes], entry: Entry) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _START, str(os.getpid())),
            *(str(entry.workers or ""), str(len(entry.files))),
            *map(str, (*entry.files, *entry.prefix, *self.command.arguments)),
            env={**self.command.environment, **entry.environment},
            cwd=self.command.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C on the terminal is the launcher's to pass on, in order
        )

    def said(self) -> str:
        """The plain lines that it printed since its last start, without structured ones."""
        with self._log.open("rb") as file:
            file.seek(self._log_start if self._log_start <= self._log.stat().st_size else 0)  # it may have been cut
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("{"))

    def publish(self, state: Path | None = None) -> None:
        """Writes the state file now; with `state` that one from now on."""
        self._state = state or self._state
        self._publish()

    def _publish(self) -> None:
        if self._state is not None:
            write_state(self._state, self.pid, self.restarts, self.reason, self.next, self.command.claims)

    async def stop(self, grace: float, number: signal.Signals = signal.SIGTERM) -> None:
        """Asks the process to end, by signal `number`, and kills its whole group when it has not within `grace` seconds."""
        self._stopping.set()
        if self._process is None or self._process.returncode is not None:
            return
        self._ask(number)
        try:
            await asyncio.wait_for(asyncio.shield(self._process.wait()), grace)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def _ask(self, number: signal.Signals) -> None:
        """In a sandbox its first process is asked. One that does not listen yet would never hear of it, and has no calls."""
        if (asked := self.pid) is None:
            return
        if self.command.apart and ((asked := first_process(asked)) is None or not hears(asked, number)):
            self.kill()
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(asked, number)

    def renew(self) -> None:
        """Kills the process; `run` starts it again."""
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def kill(self) -> None:
        self._stopping.set()
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def write_state(
    file: Path,
    pid: int | None = None,
    restarts: int = 0,
    reason: str = "",
    next_: str = "",
    claims: Claims | None = None,
) -> None:
    """Writes a state file at once; a disk that has no room for it must not end what runs."""
    partial = file.with_suffix(".part")
    state = {"pid": pid, "restarts": restarts, "reason": reason, "next": next_}
    sandbox = {} if claims is None else {"sandbox": claims.shown()}
    with contextlib.suppress(OSError):
        partial.write_text(json.dumps(state | sandbox))
        partial.replace(file)


def _how_it_ended(code: int, apart: bool) -> str:
    if apart and code > _KILLED:  # as bubblewrap tells of the process that it started
        code = _KILLED - code
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"ended with exit code {abs(code)}"
