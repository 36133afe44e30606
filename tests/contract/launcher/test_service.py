"""A service under the launcher: the process in use is replaced only by one that serves, and ends only when nobody needs it."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from cli.local.sandbox.claims import APART, BOUNDS
from cli.local.sandbox.walls import Walls
from tests.contract.launcher.conftest import World


def leads_to(world: World) -> str:
    return os.readlink(world.root / "run/x.sock")


async def test_the_first_process_is_in_use_at_once(world: World) -> None:
    (world.root / "run").mkdir()
    world.want("ready")
    await world.says("x: ready (none 1)")
    assert leads_to(world) == "x.1/serve.sock"
    assert json.loads(world.state())["pid"] == world.running()[0].process.pid
    assert world.house.identity.service_token("x").exists()


async def test_a_change_starts_a_second_process_and_then_ends_the_first(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    world.gateway.follows = False
    world.want("ready", version="1.0.1")
    await world.until(lambda: leads_to(world) == "x.2/serve.sock")
    assert first.process.pid is not None  # the gateway still sends calls there
    assert world.said == ["x: changed, starting a second process beside the one in use"]
    world.gateway.follows = True
    await world.says("x: ready")
    await world.until(lambda: first.process.pid is None)
    assert [running.own for running in world.running()] == ["unix:run/x.2/serve.sock"]
    await world.until(lambda: sorted(path.name for path in (world.root / "run").iterdir()) == ["x.2", "x.sock"])
    assert json.loads(world.state())["pid"] == world.running()[0].process.pid


async def test_a_process_whose_calls_have_not_ended_is_not_asked_to_end(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    world.gateway.draining = [("x", first.socket)]
    world.want("ready")
    await world.says("ready")
    await world.house.gateway.until(lambda _: True)
    assert first.process.pid is not None
    world.gateway.draining.clear()
    await world.until(lambda: first.process.pid is None)


async def test_a_version_that_the_gateway_cannot_prove_is_told(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    world.gateway.follows, world.gateway.refused = False, "its probe deny:stranger is not denied"
    world.want("ready", version="1.0.1")
    await world.says("x: the gateway does not use the new version. its probe deny:stranger is not denied")


async def test_calls_that_do_not_end_are_not_waited_for_beyond_their_grace(world: World) -> None:
    limits = {"deadline": "200ms", "max_deadline": "200ms"}
    world.want("ready", limits=limits)
    await world.says("ready")
    (first,) = world.running()
    world.gateway.draining = [("x", first.socket)]
    world.want("ready", limits=limits, version="1.0.1")
    await world.says("ready")
    await world.until(lambda: first.process.pid is None)


async def test_the_process_on_its_way_out_gets_its_grace(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    (world.folder / "hold").touch()
    world.want("ready")
    await world.says("ready")
    assert first.process.pid is not None
    (world.folder / "hold").unlink()
    await world.until(lambda: first.process.pid is None)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("broken: ImportError: no module named x", "ImportError: no module"), ("exit", "ended with exit code 1; its log")],
)
async def test_a_broken_version_leaves_the_one_before_in_use(world: World, behaviour: str, reason: str) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    world.want(behaviour)
    await world.until(lambda: any(line.startswith("x: the new version is NOT in use") for line in world.said))
    assert reason in world.said[-1]
    assert reason in json.loads(world.state())["next"]
    await world.until(lambda: world.running() == [first])
    assert leads_to(world) == "x.1/serve.sock"
    world.want("ready", version="1.0.1")
    await world.says("x: ready")
    assert json.loads(world.state())["next"] == ""


async def test_a_broken_version_takes_the_place_of_one_that_is_broken_too(world: World) -> None:
    world.gateway.state["x"] = ("not_ready", "first cause")
    world.want("broken: first cause")
    await world.says("x: NOT ready. first cause")
    world.want("broken: second cause")
    await world.says("x: NOT ready. second cause")
    await world.until(lambda: [running.own for running in world.running()] == ["unix:run/x.2/serve.sock"])
    world.gateway.state.clear()
    world.want("ready")
    await world.says("x: ready")


async def test_a_trial_is_given_up_when_something_else_is_wanted(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    world.want("silent")
    await world.until(lambda: len(world.running()) == 2)
    world.want("ready", version="1.0.1")
    await world.says("x: ready")
    await world.until(lambda: [running.own for running in world.running()] == ["unix:run/x.3/serve.sock"])


async def test_the_same_again_is_no_change(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    for _ in range(3):
        world.service.want(world.wanted)
        await world.house.gateway.until(lambda _: True)
    assert world.house.running == [first]
    assert world.said == []


async def test_an_environment_that_was_made_anew_is_a_change(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    for name in (".stamp", ".wheels"):
        (world.root / "envs/x" / name).write_text("1")
    world.service.want(world.wanted)
    await world.says("x: ready")
    assert leads_to(world) == "x.2/serve.sock"


async def test_another_address_leads_to_the_new_process_and_the_old_one_is_gone(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    world.want("ready", address="unix:run/y.sock")
    await world.says("ready")
    await world.until(lambda: len(world.running()) == 1)
    await world.until(lambda: not (world.root / "run/x.sock").is_symlink())
    assert (world.root / "run/y.sock").readlink() == Path("y.2/serve.sock")


async def test_what_is_removed_ends_when_the_gateway_has_dropped_it(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    world.remove()
    await world.says("x: removed")
    assert first.process.pid is not None
    del world.gateway.services["x"]
    await world.says("x: ended")
    assert world.house.running == []
    assert list((world.root / "run").iterdir()) == []
    assert world.state() == ""
    assert not world.house.identity.service_token("x").exists()


async def test_what_is_removed_is_not_forgotten_before_its_last_process_has_ended(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    (world.folder / "hold").touch()  # none ends before this is gone
    world.want("ready", version="1.0.1")
    await world.says("x: ready")
    (second,) = [running for running in world.running() if running is not first]
    world.gateway.draining = [("x", second.socket)]
    world.remove()
    del world.gateway.services["x"]
    (world.folder / "hold").unlink()
    await world.until(lambda: first not in world.house.running)
    assert world.house.identity.service_token("x").exists()
    assert "x: ended" not in world.said
    world.gateway.draining.clear()
    await world.says("x: ended")


async def test_what_comes_back_while_it_goes_is_not_forgotten(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    world.remove()
    await world.says("x: removed")
    world.want("ready")
    await world.says("x: ready")
    await world.until(lambda: [running.own for running in world.running()] == ["unix:run/x.2/serve.sock"])
    assert leads_to(world) == "x.2/serve.sock"
    assert world.house.identity.service_token("x").exists()


async def test_what_cannot_be_started_says_why(world: World) -> None:
    (world.root / "envs/x/bin/python").unlink()
    world.want("ready")
    await world.says("x: NOT ready. its environment is not installed")
    assert "not installed" in json.loads(world.state())["reason"]
    assert world.house.running == []


async def test_what_it_is_to_read_and_is_not_there_is_named(world: World) -> None:
    world.want("ready", reads=["/no/such/rows"])
    await world.says("x: NOT ready. reads: /no/such/rows is not there")
    assert world.house.running == []
    assert list((world.root / "run").iterdir()) == []


async def test_where_a_required_wall_is_missing_it_is_said_and_nothing_is_started(world: World) -> None:
    world.house.walls = Walls("required", why_not="no bubblewrap: install it")
    world.want("ready")
    await world.says("no bubblewrap: install it")
    assert "a wall that is required cannot be had" in json.loads(world.state())["reason"]
    assert world.house.running == []


async def test_what_is_claimed_is_in_the_state_file(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    sandbox = json.loads(world.state())["sandbox"]
    promised, missing = set(sandbox["promises"]), set(sandbox["missing"])
    assert promised | missing == {*APART, *BOUNDS}
    assert not promised & missing
    assert bool(promised) == (world.house.walls.mode != "none")


async def test_an_environment_that_is_gone_leaves_the_process_in_use(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    (world.root / "envs/x/bin/python").rename(world.root / "aside")
    world.want("ready", version="1.0.1")
    await world.says("NOT in use, the one before goes on. its environment is not installed")
    assert world.running() == [first]


async def test_a_process_that_is_killed_comes_back_on_its_own_socket(world: World) -> None:
    world.want("ready")
    await world.says("ready")
    (first,) = world.running()
    pid = first.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await world.until(lambda: first.process.pid not in (None, pid))
    assert leads_to(world) == "x.1/serve.sock"


async def test_on_a_port_one_ends_before_the_next_begins(world: World) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    world.want("ready", address=address)
    await world.says("ready")
    (first,) = await world.until(world.running)
    world.want("ready", address=address, version="1.0.1")
    await world.says("x: ready")
    assert first.process.pid is None
    assert len(world.running()) == 1
    world.want("broken: no more", address=address)
    await world.says("x: NOT ready. no more")
