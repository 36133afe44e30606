"""A process on trial gets the time that its service may take to start, and a little more."""

from __future__ import annotations

from cli.local.trial import Verdict, trial
from tests.contract.launcher.conftest import World


async def test_one_that_says_nothing_is_given_up_in_time(world: World) -> None:
    running = world.start("silent", runtime={"start_timeout": "100ms"})
    verdict = await trial(running.config, running.own, running.process, lambda: False, margin=0.1)
    assert verdict is not None
    assert not verdict.ready
    assert verdict.reason


async def test_one_that_becomes_ready_within_it_is_not(world: World) -> None:
    running = world.start("ready", runtime={"start_timeout": "100ms"})
    assert await trial(running.config, running.own, running.process, lambda: False) == Verdict(True)


async def test_one_that_nobody_wants_any_more_has_no_verdict(world: World) -> None:
    running = world.start("silent")
    assert await trial(running.config, running.own, running.process, lambda: True) is None


async def test_calls_in_flight_get_as_long_as_they_may_take_but_not_for_ever(world: World) -> None:
    def grace(deadline: str) -> float:
        return world.start("ready", limits={"deadline": "1s", "max_deadline": deadline}).grace

    assert [grace(deadline) for deadline in ("29s", "30s", "31s")] == [29.0, 30.0, 30.0]
    options = [str(word) for word in world.house.running[0].process.command.arguments]
    assert options[options.index("--grace") + 1] == "29"
