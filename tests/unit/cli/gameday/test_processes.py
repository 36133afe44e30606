"""Processes as they are seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from cli.gameday.processes import Watch, alive, descendants, memory, standing, workers

FORKS = """
import os, sys
if os.fork():
    os.wait()
else:
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process with one fork of itself, named as the runtime's zygote is; both end with their standard input."""
    command = [sys.executable, "-c", FORKS, "zygote"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_forks_of_a_zygote_are_workers_and_nothing_else_is(parent: subprocess.Popen[bytes]) -> None:
    assert parent.pid in descendants(os.getpid())
    (fork,) = descendants(parent.pid)
    assert workers(parent.pid) == {fork}
    assert {parent.pid, fork} & workers(os.getpid()) == {fork}
    assert {parent.pid, fork} & standing(os.getpid()) == {parent.pid}


def test_what_has_ended_and_is_not_reaped_yet_does_not_stand(parent: subprocess.Popen[bytes]) -> None:
    parent.kill()
    os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
    assert parent.pid in descendants(os.getpid())
    assert parent.pid not in standing(os.getpid()) | workers(os.getpid())


async def test_the_end_of_a_process_is_noted_when_it_happens(parent: subprocess.Popen[bytes]) -> None:
    (fork,) = descendants(parent.pid)
    watch = Watch([fork])
    assert await watch.first(0.01) is None
    before = time.monotonic()
    parent.communicate()
    ended = await watch.first(5.0)
    watch.close()
    assert ended is not None
    assert ended[0] == fork
    assert before < ended[1] <= time.monotonic()
    assert not alive(fork)


async def test_what_ended_before_does_not_count(parent: subprocess.Popen[bytes]) -> None:
    watch = Watch([parent.pid])
    parent.communicate()
    assert await watch.first(0.2, since=time.monotonic() + 60) is None
    watch.close()


def test_its_own_memory_is_more_than_nothing() -> None:
    assert 5 < memory(os.getpid()) < 4096
    assert alive(os.getpid())
