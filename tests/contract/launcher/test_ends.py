"""A process in a sandbox hears when it shall end, and nothing of it outlives the process, or a launcher that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.sandbox.walls import clear_cgroups
from tests.contract.launcher.box import ROOT, STAY, Box, alive, below, until

LAUNCHER = """
import asyncio, pathlib, sys
from cli.local.sandbox.walls import find
from tests.contract.launcher.box import STAY, Box
root = pathlib.Path(sys.argv[1])
asyncio.run(Box(root, find("best-effort", root / "state")).process(STAY).run())
"""


async def test_the_request_to_end_reaches_the_process_inside(box: Box) -> None:
    process = box.process(STAY)
    task = asyncio.create_task(process.run())
    await until(lambda: "READY" in box.said())
    children = below(process.pid)
    assert len(children) == 2
    await process.stop(10.0)
    await task
    assert "ASKED" in box.said()
    assert process.exit_code == 0
    await until(lambda: not [pid for pid in children if alive(pid)])


async def test_one_that_does_not_listen_yet_is_ended_at_once(box: Box) -> None:
    process = box.process("import time; print('READY', flush=True); time.sleep(60)")
    task = asyncio.create_task(process.run())
    await until(lambda: "READY" in box.said())
    async with asyncio.timeout(5):
        await process.stop(60.0)
    await task


@pytest.mark.parametrize("whom", ["bubblewrap", "inside"])
async def test_a_kill_ends_everything_and_is_told_as_such(box: Box, whom: str) -> None:
    process = box.process(STAY)
    task = asyncio.create_task(process.run())
    await until(lambda: "READY" in box.said())
    children, pid = below(process.pid), process.pid
    assert pid is not None
    os.kill(pid if whom == "bubblewrap" else children[0], signal.SIGKILL)
    await until(lambda: process.restarts)
    assert process.reason.startswith("killed by SIGKILL")
    assert not [child for child in children if alive(child)]
    await process.stop(0.0)
    await task


def test_a_launcher_that_is_killed_leaves_no_process_and_the_next_start_leaves_no_group(
    box: Box, tmp_path: Path
) -> None:
    root = tmp_path / "other"
    (root / "state/run").mkdir(parents=True)
    log = root / "log"
    with subprocess.Popen([sys.executable, "-c", LAUNCHER, str(root)], cwd=ROOT) as launcher:
        asyncio.run(until(lambda: log.exists() and "READY" in log.read_text()))
        started = below(launcher.pid)
        assert len(started) >= 3
        launcher.kill()
    asyncio.run(until(lambda: not [pid for pid in started if alive(pid)]))
    record = root / "state/run/cgroups"
    folders = [Path(line) for line in record.read_text().splitlines()] if record.exists() else []
    clear_cgroups(root / "state")
    assert not [folder for folder in folders if folder.exists()]
    assert bool(folders) == (not box.walls.cgroups.missing)
