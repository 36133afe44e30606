"""Bounds of a whole service, where control groups can be made here."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.contract.launcher.box import Box


@pytest.fixture
def bounded(box: Box) -> Box:
    if box.walls.cgroups.missing:
        pytest.skip(str(next(iter(box.walls.cgroups.missing.values()))))
    return box


async def test_memory_is_bounded_for_the_whole_service(bounded: Box) -> None:
    code = """
for _ in range(4):
    if not (child := os.fork()):
        kept = [os.urandom(1 << 20) for _ in range(128)]
        os._exit(0)
    told.setdefault('ended', []).append(os.waitpid(child, 0)[1])
"""
    told = await bounded.tell(code, sandbox={"memory": "64MiB"})
    assert set(told["ended"]) == {signal.SIGKILL}


async def test_processes_are_bounded(bounded: Box) -> None:
    code = """
import signal
children = []
try:
    for _ in range(64):
        if not (child := os.fork()):
            signal.pause()
        children.append(child)
except OSError as error:
    told['refused'] = error.errno
told['made'] = len(children)
"""
    told = await bounded.tell(code, sandbox={"processes": 16})
    assert told["refused"] == 11
    assert told["made"] < 16


async def test_processes_of_workers_leave_some_to_the_host(bounded: Box) -> None:
    """As the zygote does, a child enters the workers' group, and then forks for as long as it can."""
    code = """
import signal

def made():
    count = 0
    try:
        for _ in range(64):
            if not os.fork():
                signal.pause()
            count += 1
    except OSError:
        pass
    return count

told['divided'] = '--workers-group' in sys.argv
if told['divided']:
    group = int(sys.argv[sys.argv.index('--workers-group') + 1])
    if not (child := os.fork()):
        os.write(group, b'0')
        os._exit(made())
    told['workers'] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    told['host'] = made()
"""
    told = await bounded.tell(code, sandbox={"processes": 32})
    if not told["divided"]:
        pytest.skip("the groups of systemd have no part for workers")
    assert told["workers"] == 23, "24 with the child itself"
    assert 0 < told["host"] < 32 - 23


async def test_the_share_of_the_cpu_is_bounded(bounded: Box) -> None:
    code = """
import time
end = time.monotonic() + 1.0
while time.monotonic() < end:
    pass
told['used'] = time.process_time()
"""
    told = await bounded.tell(code, sandbox={"cpus": 0.2})
    assert told["used"] < 0.5


async def test_services_weigh_less_than_the_gateway(bounded: Box) -> None:
    await bounded.tell("told['x'] = 1")
    folders = [Path(line) for line in (bounded.root / "state/run/cgroups").read_text().splitlines()]
    files = [folder / name for folder in folders for name in ("cpu.shares", "cpu.weight")]
    assert [int(file.read_text()) for file in files if file.exists()] in ([256], [25])


async def test_nothing_of_a_group_is_left_when_its_process_has_ended(bounded: Box) -> None:
    await bounded.tell("told['x'] = 1")
    record = bounded.root / "state/run/cgroups"
    folders = [Path(line) for line in record.read_text().splitlines()]
    assert [[path for path in folder.iterdir() if path.is_dir()] for folder in folders] == [[]] * len(folders)
    bounded.walls.cgroups.clear()
    assert [folder.exists() for folder in folders] == [False] * len(folders)
