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

from cli.local.process import Command, Supervised
from cli.local.sandbox.cgroups import Entry
from cli.local.sandbox.claims import Claims


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


class FileGroup:
    """A group that is a file; tells when it is entered and left."""

    def __init__(self, file: Path, workers: Path | None = None) -> None:
        self.file = file
        self.workers = workers
        self.told: list[str] = []

    def enter(self) -> Entry:
        self.told.append("enter")
        return Entry((self.file,), ("/usr/bin/env",), {"FROM": "the group"}, self.workers)

    async def leave(self) -> None:
        self.told.append("leave")


async def test_it_is_in_its_group_before_it_becomes_what_it_is_to_be(tmp_path: Path) -> None:
    group = FileGroup(tmp_path / "procs")
    code = "import os, pathlib; print(os.getpid(), os.environ['FROM'], pathlib.Path('procs').read_text())"
    command = Command("x", [sys.executable, "-c", code], {"ONLY": "this"}, tmp_path, group)
    process = Supervised(command, tmp_path / "x.log", first_wait=0.01)
    task = asyncio.create_task(process.run())
    await until(lambda: process.restarts >= 2)
    await process.stop(1.0)
    await task
    pid, *origin, procs = (tmp_path / "x.log").read_text().splitlines()[0].split()
    assert (pid, " ".join(origin)) == (procs, "the group")
    assert group.told[:4] == ["enter", "leave", "enter", "leave"]


async def test_it_is_handed_the_way_into_the_group_of_its_workers(tmp_path: Path) -> None:
    (tmp_path / "workers").touch()
    group = FileGroup(tmp_path / "procs", tmp_path / "workers")
    code = "import os, sys; assert sys.argv[1] == '--workers-group'; os.write(int(sys.argv[2]), b'entered')"
    process = Supervised(Command("x", [sys.executable, "-c", code], {}, tmp_path, group), tmp_path / "x.log")
    task = asyncio.create_task(process.run())
    await until(lambda: process.restarts)
    await process.stop(1.0)
    await task
    assert process.exit_code == 0
    assert (tmp_path / "workers").read_text() == "entered"


async def test_one_that_cannot_be_bounded_is_not_started(tmp_path: Path) -> None:
    code = "open('ran', 'w')"
    command = Command("x", [sys.executable, "-c", code], {}, tmp_path, FileGroup(tmp_path / "none/procs"))
    process = Supervised(command, tmp_path / "x.log", first_wait=0.01)
    task = asyncio.create_task(process.run())
    await until(lambda: process.restarts)
    await process.stop(1.0)
    await task
    assert "it cannot be bounded by" in process.reason
    assert not (tmp_path / "ran").exists()


async def test_how_the_process_in_a_sandbox_ended_is_what_bubblewrap_says(tmp_path: Path) -> None:
    for code, reason in ((137, "killed by SIGKILL"), (139, "killed by SIGSEGV"), (3, "ended with exit code 3")):
        command = Command("x", ["/bin/sh", "-c", f"exit {code}"], {}, tmp_path, apart=True)
        process = Supervised(command, tmp_path / "x.log", first_wait=0.01)
        task = asyncio.create_task(process.run())
        await until(lambda process=process: process.restarts)
        await process.stop(1.0)
        await task
        assert process.reason.startswith(reason)


async def test_what_is_claimed_stands_in_the_state_file(tmp_path: Path) -> None:
    claims = Claims(("files",), {"memory": "no groups"})
    command = Command("x", [sys.executable, "-c", "import time; time.sleep(60)"], {}, tmp_path, claims=claims)
    process = Supervised(command, tmp_path / "x.log", tmp_path / "x.json")
    task = asyncio.create_task(process.run())
    await until(lambda: state(tmp_path))
    assert state(tmp_path)["sandbox"] == {"promises": ["files"], "missing": {"memory": "no groups"}}
    await process.stop(5.0)
    await task
