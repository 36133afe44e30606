"""The host's hold on a self-test: a child that is asked once, and ends soon, or is ended."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from firebreak_runtime import process
from firebreak_runtime.self_test.asked import Asked, write

LIMIT = 5.0
"""Seconds for a self-test; it needs a tenth of one, and a second where packets get out and nobody answers."""
COMMAND = (sys.executable, "-I", "-m", "firebreak_runtime.self_test")
_ANSWER = 64 * 1024


class SelfTestFailed(Exception):
    """It gave no answer; the text says why."""


@dataclass(frozen=True)
class Findings:
    """What a self-test says: for each promise what was `reached`, "" where it holds, or why it could not be tried."""

    reached: Mapping[str, str]
    untried: Mapping[str, str] = field(default_factory=dict)


class SelfTest:
    """Runs self-tests with a worker's environment `env`. Their process ids are in `children` while they run."""

    def __init__(
        self, env: Mapping[str, str], children: set[int], command: Sequence[str] = COMMAND, limit: float = LIMIT
    ) -> None:
        self._env = env
        self._children = children
        self._command = command
        self._limit = limit

    async def __call__(self, asked: Asked) -> Findings:
        """Raises SelfTestFailed. Nothing is left of the child then, nor when this is cancelled."""
        with _memory("asked") as question, _memory("findings") as answer:
            question.write(write(asked))
            question.seek(0)
            await self._run(question, answer)
            answer.seek(0)
            return _findings(answer.read(_ANSWER))

    async def _run(self, question: IO[bytes], answer: IO[bytes]) -> None:
        try:
            # Not by asyncio: it may start threads for its children, and its host reaps what it does not know.
            child = subprocess.Popen(  # noqa: ASYNC220
                self._command,
                stdin=question,
                stdout=answer,
                stderr=answer,
                env=dict(self._env),
                start_new_session=True,
            )
        except OSError as error:
            raise SelfTestFailed(f"could not be started: {error.strerror}") from None
        self._children.add(child.pid)
        try:
            if not await _ended(child.pid, self._limit):
                raise SelfTestFailed(f"did not end within {self._limit:g} s")
        finally:
            process.kill_with_group(child.pid)
            status = child.wait()
            self._children.discard(child.pid)
        if status != 0:
            answer.seek(0)
            told = answer.read(_ANSWER).decode(errors="replace").strip().rpartition("\n")[2]
            raise SelfTestFailed(f"ended with {process.describe_status(status)} ({told[:200]})")


def _memory(name: str) -> IO[bytes]:
    """A file in memory: neither side has to wait for the other to read."""
    return os.fdopen(os.memfd_create(name), "w+b")


async def _ended(pid: int, limit: float) -> bool:
    """Whether the child has ended within `limit` seconds; it is not reaped."""
    loop = asyncio.get_running_loop()
    pidfd = os.pidfd_open(pid)
    ended: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        loop.remove_reader(pidfd)
        ended.set_result(None)

    loop.add_reader(pidfd, end)
    try:
        await asyncio.wait({ended}, timeout=limit)
        return ended.done()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


def _findings(data: bytes) -> Findings:
    try:
        told = json.loads(data.decode().strip().rpartition("\n")[2])
        return Findings(**{name: {str(k): str(v) for k, v in told[name].items()} for name in ("reached", "untried")})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SelfTestFailed("gave an answer that makes no sense") from None
