"""The file system of a sandbox: order matters, for what is mounted later covers what was before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cli.local.sandbox.machine import Machine
from cli.local.sandbox.mounts import files, near
from tests.unit.cli.local.sandbox.places import PLACE

MACHINE = Machine(("--ro-bind", "/usr", "/usr"), ("--proc", "/proc"), ("--dir", "/dev"))


def operations(*reads: str, **changes: Path | None) -> list[tuple[str, ...]]:
    """Each operation with its arguments, in order; the size goes with the file system that it is of."""
    words = files(replace(PLACE, **changes), MACHINE, map(Path, reads), 1024)  # type: ignore[arg-type]
    found: list[list[str]] = []
    for word in words:
        if word.startswith("--") and not (found and found[-1][0] == "--size" and len(found[-1]) == 2):
            found.append([])
        found[-1].append(word)
    return [tuple(one) for one in found]


def bound(found: list[tuple[str, ...]], kind: str = "--ro-bind") -> dict[str, str]:
    return {one[2]: one[1] for one in found if one[0] == kind}


def test_only_its_own_is_shown_and_only_its_sockets_folder_can_be_written() -> None:
    found = operations()
    assert bound(found) == {
        "/usr": "/usr",
        "/s/calculator": "/s/calculator",
        "/e/calculator": "/e/calculator",
        "/py/lib": "/py/lib",
        "/run/firebreak/door": "/st/run/gateway",
        "/run/firebreak/identity": "/st/identity/services-tokens/calculator",
        "/run/firebreak/secrets": "/st/secrets/calculator",
    }
    assert bound(found, "--bind") == {"/run/firebreak/own": "/st/run/calculator.1"}
    assert found[-1] == ("--remount-ro", "/")


def test_everything_that_is_writable_is_bounded() -> None:
    sized = [one for one in operations() if one[0] == "--size"]
    assert sized == [
        ("--size", "65536", "--tmpfs", "/"),
        ("--size", "1024", "--tmpfs", "/dev/shm"),
        ("--size", "1024", "--tmpfs", "/tmp"),
        ("--size", "4096", "--tmpfs", "/run/firebreak/locked"),
    ]


def test_the_proxy_is_shown_to_who_may_use_it() -> None:
    assert "/run/firebreak/egress" not in bound(operations())
    assert bound(operations(egress=Path("/st/run/egress/x")))["/run/firebreak/egress"] == "/st/run/egress/x"


def test_one_on_a_port_has_no_folder_for_sockets() -> None:
    assert bound(operations(own=None), "--bind") == {}


def test_the_state_is_covered_in_whatever_is_shown_and_what_belongs_to_the_service_lies_over_that() -> None:
    found = operations("/data", state=Path("/data/st"), env=Path("/data/st/envs/x"))
    order = [one[-1] for one in found]
    assert order.index("/data") < order.index("/data/st") < order.index("/data/st/envs/x")
    assert ("--size", "65536", "--tmpfs", "/data/st") in found
    assert ("--remount-ro", "/data/st") in found


def test_a_state_in_the_systems_own_folders_is_covered_too() -> None:
    assert ("--size", "65536", "--tmpfs", "/usr/local/fb") in operations(state=Path("/usr/local/fb"))


def test_code_below_the_writable_tmp_cannot_be_moved_away() -> None:
    found = operations(service=Path("/tmp/a/b/service"), env=Path("/tmp/env"))
    assert ("--size", "65536", "--tmpfs", "/tmp/a") in found
    assert ("--remount-ro", "/tmp/a") in found
    assert ("--remount-ro", "/tmp/env") not in found
    order = [one[-1] for one in found]
    assert order.index("/tmp") < order.index("/tmp/a") < order.index("/tmp/a/b/service")


def test_an_interpreter_of_the_system_needs_nothing_more() -> None:
    assert "/usr/lib" not in bound(operations(python=(Path("/usr/lib"),)))  # type: ignore[arg-type]


def test_a_path_is_given_as_short_as_it_can_be() -> None:
    assert near(PLACE, Path("/s/run/x.sock")) == "run/x.sock"
    assert near(PLACE, Path("/a/x.sock")) == "/a/x.sock"
