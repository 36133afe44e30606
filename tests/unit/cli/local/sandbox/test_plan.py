"""How a process is started with every wall, with some, and with none; and what is claimed of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from cli.local.sandbox.bubblewrap import Bubblewrap
from cli.local.sandbox.cgroups import Bounds, Unbounded
from cli.local.sandbox.claims import APART, BOUNDS, NoWall
from cli.local.sandbox.plan import bounds, plan
from cli.local.sandbox.walls import Mode, Walls
from tests.unit.cli.local.sandbox.places import PLACE, configured

BOX = Bubblewrap(Path("/bin/bwrap"), ("--unshare-user",))


class Bounded(Unbounded):
    """Bounds of everything."""

    def __init__(self) -> None:
        self.missing = {}


def walls(mode: Mode = "best-effort", box: Bubblewrap | None = BOX, why_not: str = "", bounded: bool = True) -> Walls:
    return Walls(mode, box, why_not=why_not, cgroups=Bounded() if bounded else Unbounded("no groups"))


def values(options: tuple[str, ...], name: str) -> list[str]:
    return [value for option, value in itertools.pairwise(options) if option == name]


def test_in_a_sandbox_the_host_hears_of_nothing_outside() -> None:
    made = plan(configured(), PLACE, walls())
    assert made.before[:3] == ("/bin/bwrap", "--unshare-user", "--unshare-net")
    assert made.before[-1] == "--"
    assert values(made.options, "--listen") == ["unix:/run/firebreak/own/serve.sock"]
    assert values(made.options, "--gateway") == ["unix:/run/firebreak/door/gateway.sock"]
    assert values(made.options, "--token-file") == ["/run/firebreak/identity/token"]
    assert values(made.options, "--secrets") == ["/run/firebreak/secrets"]
    assert values(made.options, "--enclose") == ["best-effort"]
    assert (values(made.options, "--readable"), values(made.options, "--writable")) == (["/"], ["/tmp", "/dev/shm"])
    assert not [word for word in made.options if "/st/" in word]


def test_its_environment_is_known_to_the_last_variable() -> None:
    made = plan(configured(), PLACE, walls())
    assert made.environment == {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp"}
    assert made.before.index("--clearenv") < made.before.index("--setenv")
    assert made.before.count("--setenv") == 3


def test_all_is_claimed_where_all_is_there() -> None:
    made = plan(configured(), PLACE, walls("required"))
    assert made.claims.promises == (*APART, *BOUNDS)
    assert made.claims.missing == {}
    assert tuple(values(made.options, "--promise")) == (*APART, *BOUNDS)


def test_without_a_sandbox_it_is_told_where_things_are_and_what_it_needs() -> None:
    made = plan(configured(reads=["/data"]), PLACE, walls(box=None, why_not="no bwrap"))
    assert made.before == ()
    assert values(made.options, "--listen") == ["unix:/st/run/calculator.1/serve.sock"]
    assert {"/usr", "/py/lib", "/e/calculator", "/s/calculator", "/data"} <= {*values(made.options, "--readable")}
    assert values(made.options, "--writable") == ["/st/home/calculator", "/dev/shm"]
    assert made.environment["HOME"] == made.environment["TMPDIR"] == "/st/home/calculator"
    assert made.claims.promises == ("environment", *BOUNDS)
    assert made.claims.missing["files"] == "no bwrap"


def test_where_no_wall_is_wanted_none_is_claimed() -> None:
    made = plan(configured(), PLACE, Walls())
    assert values(made.options, "--enclose") == ["none"]
    assert values(made.options, "--readable") == []
    assert made.claims.promises == ()
    assert set(made.claims.missing) == {*APART, *BOUNDS}
    assert set(made.claims.missing.values()) == {"sandbox: none is configured"}


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (walls("required", None, "no bwrap"), "network, sockets, files, read-only, scratch, processes, privileges: no bwrap"),
        (walls("required", bounded=False), "memory, cpu, tasks: no groups"),
    ],
)  # fmt: skip
def test_a_wall_that_is_required_and_cannot_be_had_is_named(there: Walls, said: str) -> None:
    with pytest.raises(NoWall, match=said):
        plan(configured(), PLACE, there)


def test_one_on_a_port_keeps_the_machines_network() -> None:
    place = replace(PLACE, own=None, listen="127.0.0.1:7600")
    made = plan(configured(), place, walls())
    assert "--unshare-net" not in made.before
    assert values(made.options, "--listen") == ["127.0.0.1:7600"]
    assert values(made.options, "--enclose") == ["none"]
    assert set(made.claims.missing) == {"network", "sockets"}
    assert "unix socket" in made.claims.missing["network"]


@pytest.mark.parametrize(
    ("box", "address"), [(BOX, "unix:/run/firebreak/egress/egress.sock"), (None, "unix:/s/run/e/egress.sock")]
)
def test_the_proxys_address_is_given_where_there_is_one(box: Bubblewrap | None, address: str) -> None:
    assert values(plan(configured(), PLACE, walls(box=box)).options, "--egress") == []
    place = replace(PLACE, egress=Path("/s/run/e"))
    assert values(plan(configured(), place, walls(box=box)).options, "--egress") == [address]


def test_the_number_of_processes_may_be_bounded_without_groups() -> None:
    there = replace(walls("best-effort", bounded=False), counted=("tasks",))
    assert set(plan(configured(), PLACE, there).claims.missing) == {"memory", "cpu"}
    assert "tasks" in plan(configured(), PLACE, replace(there, box=None)).claims.missing


def test_bounds_are_those_of_the_configuration() -> None:
    sandbox = {"memory": "1GiB", "cpus": 0.5, "processes": 64}
    assert bounds(configured(sandbox=sandbox)) == Bounds(1024**3, 0.5, 64)
    assert bounds(configured()).memory == 512 * 1024**2 + 3 * 1024**3
