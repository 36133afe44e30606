"""One supervised process: restarted with back-off, stopped with all that it started, its end explained."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cli.local.process import Command, Supervised, last_line, put_aside


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def supervised(folder: Path, code: str) -> Supervised:
    command = Command("x", [sys.executable, "-c", code], {"ONLY": "this"}, folder)
    return Supervised(command, folder / "x.log", folder / "x.json", first_wait=0.01)


def state(folder: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads((folder / "x.json").read_text())
    except FileNotFoundError:
        return {}
    return found


async def test_a_process_that_ends_is_started_again_and_the_reason_told(tmp_path: Path) -> None:
    process = supervised(tmp_path, "import sys; print('ImportError: no module', file=sys.stderr); sys.exit(3)")
    task = asyncio.create_task(process.run())
    await until(lambda: process.restarts >= 2)
    await process.stop(1.0)
    await task
    assert process.reason == "ended with exit code 3; its log ends: ImportError: no module"
    assert state(tmp_path)["reason"] == process.reason


async def test_stop_ends_it_and_run_returns(tmp_path: Path) -> None:
    process = supervised(tmp_path, "import time; time.sleep(60)")
    task = asyncio.create_task(process.run())
    await until(lambda: process.pid)
    assert state(tmp_path)["pid"] == process.pid
    await process.stop(5.0)
    await asyncio.wait_for(task, 5.0)
    assert process.restarts == 0


async def test_one_that_ignores_the_request_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(c.pid)); time.sleep(60)"
    )
    process = supervised(tmp_path, code)
    task = asyncio.create_task(process.run())
    await until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    await process.stop(0.05)
    await asyncio.wait_for(task, 5.0)
    child = int((tmp_path / "child").read_text())
    await until(lambda: not _alive(child))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_nothing_is_inherited_from_the_launchers_environment(tmp_path: Path) -> None:
    os.environ["FIREBREAK_TEST_SECRET"] = "do not pass on"
    try:
        process = supervised(tmp_path, "import os, time; print(sorted(os.environ), flush=True); time.sleep(60)")
        task = asyncio.create_task(process.run())
        await until(lambda: "ONLY" in (tmp_path / "x.log").read_text() if (tmp_path / "x.log").exists() else False)
        await process.stop(5.0)
        await task
    finally:
        del os.environ["FIREBREAK_TEST_SECRET"]
    assert "FIREBREAK_TEST_SECRET" not in (tmp_path / "x.log").read_text()


async def test_a_program_that_is_not_there_is_a_reason_and_ends_nothing_else(tmp_path: Path) -> None:
    command = Command("x", ["/no/such/python"], {}, tmp_path)
    process = Supervised(command, tmp_path / "x.log", tmp_path / "x.json", first_wait=0.01)
    task = asyncio.create_task(process.run())
    await until(lambda: process.restarts)
    await process.stop(1.0)
    await task
    assert process.reason.endswith("/no/such/python cannot be started: No such file or directory")


async def test_a_log_that_cannot_be_written_is_a_reason_too(tmp_path: Path) -> None:
    command = Command("x", [sys.executable, "-c", ""], {}, tmp_path)
    process = Supervised(command, tmp_path / "none/x.log", tmp_path / "x.json", first_wait=0.01)
    task = asyncio.create_task(process.run())
    await until(lambda: process.restarts)
    await process.stop(1.0)
    await task
    assert process.reason == "it cannot be started: No such file or directory"


async def test_one_that_is_asked_to_end_while_it_starts_does_not_stay(tmp_path: Path) -> None:
    process = supervised(tmp_path, "import time; time.sleep(60)")
    task = asyncio.create_task(process.run())
    await asyncio.sleep(0)  # it has begun, and has no process yet
    await process.stop(1.0)
    await asyncio.wait_for(task, 5.0)
    assert process.pid is None


async def test_the_signal_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(7));"
        "open('ready', 'w').close(); time.sleep(60)"
    )
    process = supervised(tmp_path, code)
    task = asyncio.create_task(process.run())
    await until(lambda: (tmp_path / "ready").exists())
    await process.stop(5.0, signal.SIGINT)
    await task
    assert process.exit_code == 7


async def test_nothing_is_written_of_a_process_on_trial_until_it_is_in_use(tmp_path: Path) -> None:
    command = Command("x", [sys.executable, "-c", "import time; time.sleep(60)"], {}, tmp_path)
    process = Supervised(command, tmp_path / "x.log")
    task = asyncio.create_task(process.run())
    await until(lambda: process.pid)
    assert state(tmp_path) == {}
    process.next = "no module y"
    process.publish(tmp_path / "x.json")
    assert state(tmp_path) == {"pid": process.pid, "restarts": 0, "reason": "", "next": "no module y"}
    await process.stop(5.0)
    await task


def test_a_launcher_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys; from cli.local.process import Command, Supervised\n"
        "async def main():\n"
        "    here = pathlib.Path(sys.argv[1])\n"
        "    command = Command('x', [sys.executable, '-c', 'import time; time.sleep(60)'], {}, here)\n"
        "    await Supervised(command, here / 'x.log', here / 'x.json').run()\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[3]) as launcher:
        asyncio.run(until(lambda: state(tmp_path).get("pid")))
        child = state(tmp_path)["pid"]
        assert isinstance(child, int)
        launcher.kill()
    asyncio.run(until(lambda: not _alive(child)))


def test_the_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('first\n{"event": "it broke", "level": "error"}\n\n')
    assert last_line(log) == "it broke"
    log.write_text("x" * 1000)
    assert len(last_line(log)) == 300
    assert last_line(tmp_path / "none") == "(no log)"


def test_a_large_log_is_put_aside_and_a_small_one_goes_on(tmp_path: Path) -> None:
    log, aside = tmp_path / "x.log", tmp_path / "x.log.1"
    log.write_bytes(b"x" * 10)
    put_aside(log, 10)
    assert log.exists()
    assert not aside.exists()
    log.write_bytes(b"y" * 11)
    put_aside(log, 10)
    assert not log.exists()
    assert aside.read_bytes() == b"y" * 11
