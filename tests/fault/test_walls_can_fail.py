"""Rows 19 to 22 find nothing where there are walls. Here are none, and the same attempts must get through, or they prove
nothing.

Only what is of this instance is tried, and what ends with the process that tries it.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest

from cli.gameday import out_of_reach
from cli.gameday.fault import Fault, NotRun, Setting
from cli.gameday.faults.walls import FAULTS, WALLS, Break
from cli.gameday.instance import PrivateInstance
from cli.gameday.out_of_reach import Around
from cli.gameday.scene import Scene
from cli.gameday.stage import Stage

pytestmark = pytest.mark.timeout(240)
Use = Callable[[Callable[[Scene], Awaitable[list[str]]]], list[str]]


@pytest.fixture(scope="module")
def without_walls() -> Iterator[Use]:
    """Runs something on a scene of an instance whose services have no walls."""
    setting = Setting(services=WALLS.services, own=True, changes={"sandbox": "none"}, prepare=WALLS.prepare)
    stage = Stage(setting, "without walls")
    with asyncio.Runner() as runner:

        async def use(act: Callable[[Scene], Awaitable[list[str]]]) -> list[str]:
            scene = Scene(stage.instance, True, random.Random(1))
            try:
                return await act(scene)
            finally:
                await scene.close()

        try:
            runner.run(stage.open())
            yield lambda act: runner.run(use(act))
        finally:
            runner.run(stage.close())


def reached(use: Use, group: str, around: Callable[[PrivateInstance], Around]) -> str:
    """The problems that a row would have, one on each line."""

    async def act(scene: Scene) -> list[str]:
        tries = Break(scene)
        await tries.out(group, around(scene.instance))
        assert tries.tried
        return tries.problems

    return "\n".join(use(act))


def test_the_network(without_walls: Use) -> None:
    found = reached(without_walls, "network", lambda instance: out_of_reach.network(instance, machine=False))
    assert found.count("TCP connection to 127.0.0.1") == 3
    assert "UDP packet to 127.0.0.1" in found
    assert "an interface that leads elsewhere" in found


def test_files_and_secrets(without_walls: Use) -> None:
    found = reached(without_walls, "files", lambda instance: out_of_reach.files(instance, machine=False))
    for what in (
        "ca.key",
        "session-keys/",
        "services-tokens/calculator/token",
        "journal.db",
        "firebreak.yaml",
        "files below",
    ):
        assert what in found


def test_writing(without_walls: Use) -> None:
    found = reached(without_walls, "writing", lambda instance: out_of_reach.writable(instance, machine=False))
    for what in ("firebreak.yaml: reached", "a file in", "grants.yaml", "a socket in", "serve.sock: reached"):
        assert what in found


def test_the_kernel(without_walls: Use) -> None:
    """What an ordinary user may do as well."""
    found = reached(without_walls, "kernel", lambda _: {})
    assert "new privileges" in found or "clone3" in found
    assert "keyctl: reached" in found


def test_other_processes(without_walls: Use) -> None:
    found = reached(without_walls, "processes", lambda instance: out_of_reach.processes(instance, machine=False))
    assert "limits of its host: reached" in found


def test_sockets(without_walls: Use) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0fb-walls-can-fail")
        listener.listen()
        found = reached(
            without_walls, "sockets", lambda one: out_of_reach.sockets(one, "fb-walls-can-fail", machine=False)
        )
    assert found.count("calculator") == 2
    assert "the door: reached" in found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.number))
def test_a_row_is_not_run_where_nobody_claims_the_wall(without_walls: Use, fault: Fault) -> None:
    async def act(scene: Scene) -> list[str]:
        with pytest.raises(NotRun, match="sandbox: none is configured"):
            await fault.act(scene)
        return []

    without_walls(act)
