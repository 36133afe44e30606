"""Control groups come with their bounds, take what is in them along when they go, and outlive no launcher for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from firebreak_runtime.service_file import ServiceFile

from cli.local.sandbox.cgroups import Bounds, Unbounded
from cli.local.sandbox.hierarchies import Hierarchies, Hierarchy
from tests.unit.cli.local.sandbox.trees import MemoryTree

BOUNDS = Bounds(1024, 2.0, 16)
BASE = Path("/cg/own")
X1 = BASE / "firebreak-i/x.1"


@pytest.fixture
def tree() -> MemoryTree:
    return MemoryTree("/cg", "/cg/own")


def made(tree: MemoryTree, record: Path, patience: float = 5.0) -> Hierarchies:
    def must(bounds: Bounds) -> tuple[tuple[str, str], ...]:
        return (("max", str(bounds.memory)),)

    return Hierarchies(tree, [Hierarchy(BASE, must, lambda _: (("swap", "0"),))], "i", record / "cgroups", patience)


def test_a_group_is_made_with_its_bounds_and_entered_by_its_procs(tree: MemoryTree, tmp_path: Path) -> None:
    groups = made(tree, tmp_path)
    groups.try_out()
    entry = groups.group("x.1", BOUNDS).enter()
    assert entry.files == (X1 / "cgroup.procs",)
    assert (tree.files[X1 / "max"], tree.files[X1 / "swap"]) == ("1024", "0")


@pytest.fixture
def divided(tree: MemoryTree, tmp_path: Path) -> Hierarchies:
    """Groups in two hierarchies, one of which has a part for workers."""
    tree.groups.add(Path("/cg/pids"))
    bounded = Hierarchy(
        Path("/cg/pids"), lambda _: (), lambda _: (), lambda bounds: (("pids.max", str(bounds.of_workers)),)
    )
    groups = Hierarchies(
        tree, [Hierarchy(BASE, lambda _: (), lambda _: ()), bounded], "i", tmp_path / "cgroups", patience=0.02
    )
    groups.try_out()
    return groups


@pytest.mark.parametrize("version", [1, 2])
def test_workers_have_a_part_of_their_own(tree: MemoryTree, divided: Hierarchies, version: int) -> None:
    if version == 1:
        tree.absent.add("cgroup.subtree_control")
    entry = divided.group("x.1", Bounds(1024, 1.0, 64)).enter()
    x1 = Path("/cg/pids/firebreak-i/x.1")
    assert entry.files == (X1 / "cgroup.procs", x1 / "host/cgroup.procs")
    assert entry.workers == x1 / "workers/cgroup.procs"
    assert tree.files[x1 / "workers/pids.max"] == "48"
    assert tree.files.get(x1 / "cgroup.subtree_control") == {1: None, 2: "+pids"}[version]


async def test_a_group_goes_with_its_parts(tree: MemoryTree, divided: Hierarchies) -> None:
    assert tree.folders(Path("/cg/pids/firebreak-i")) == [], "nothing of the one that was tried is left"
    group = divided.group("x.1", BOUNDS)
    group.enter()
    x1 = Path("/cg/pids/firebreak-i/x.1")
    tree.inside |= {x1 / "host": [7], x1 / "workers": [8, 9]}
    await group.leave()
    assert sorted(tree.killed) == [7, 8, 9]
    assert not tree.groups & {x1, X1}


@pytest.mark.parametrize(("processes", "workers"), [(16, 12), (64, 48), (128, 96), (129, 97), (256, 224)])
def test_a_quarter_of_the_processes_32_at_most_is_the_hosts(processes: int, workers: int) -> None:
    assert Bounds(1, 1.0, processes).of_workers == workers
    assert ServiceFile(Path(), "x", "tool", "1", "m:x", processes=processes).processes_of_workers == workers


def test_what_a_kernel_lacks_is_gone_without_and_what_is_needed_is_not(tree: MemoryTree, tmp_path: Path) -> None:
    groups = made(tree, tmp_path)
    tree.absent = {"swap"}
    groups.try_out()
    tree.absent = {"max"}
    with pytest.raises(FileNotFoundError):
        groups.try_out()


def test_trying_leaves_the_way_and_no_group(tree: MemoryTree, tmp_path: Path) -> None:
    made(tree, tmp_path).try_out()
    assert tree.folders(BASE / "firebreak-i") == []
    assert (tmp_path / "cgroups").read_text() == f"{BASE / 'firebreak-i'}\n"


@pytest.mark.parametrize(
    ("file", "other", "weight"), [("cpu.shares", "cpu.weight", "256"), ("cpu.weight", "cpu.shares", "25")]
)
def test_all_services_together_weigh_less_than_the_gateway(
    tree: MemoryTree, tmp_path: Path, file: str, other: str, weight: str
) -> None:
    tree.absent.add(other)
    made(tree, tmp_path).try_out()
    assert tree.files[BASE / "firebreak-i" / file] == weight


async def test_who_is_left_in_a_group_is_ended_with_it(tree: MemoryTree, tmp_path: Path) -> None:
    groups = made(tree, tmp_path)
    groups.try_out()
    group = groups.group("x.1", BOUNDS)
    group.enter()
    tree.inside[X1] = [7, 8]
    await group.leave()
    assert sorted(tree.killed) == [7, 8]
    assert X1 not in tree.groups
    await group.leave()  # one that is gone is no error


async def test_a_group_that_does_not_go_is_not_waited_for_for_ever(tree: MemoryTree, tmp_path: Path) -> None:
    groups = made(tree, tmp_path, 0.02)
    groups.try_out()
    group = groups.group("x.1", BOUNDS)
    group.enter()
    tree.inside[X1], tree.stubborn = [7], {7}
    await group.leave()
    assert X1 in tree.groups


def test_what_a_killed_launcher_left_is_removed_wherever_it_was(tree: MemoryTree, tmp_path: Path) -> None:
    for folder in ("/cg/before", "/cg/before/firebreak-i", "/cg/before/firebreak-i/x.9", "/cg/before/else"):
        tree.groups.add(Path(folder))
    tree.inside[Path("/cg/before/firebreak-i/x.9")] = [5]
    (tmp_path / "cgroups").write_text("/cg/before/firebreak-i\n/cg/before/else\n")
    made(tree, tmp_path).clear()
    assert tree.killed == [5]
    assert tree.folders(Path("/cg/before")) == [Path("/cg/before/else")]
    assert not (tmp_path / "cgroups").exists()
    made(tree, tmp_path).clear()


def test_what_cannot_be_removed_is_remembered_for_the_next_start(tree: MemoryTree, tmp_path: Path) -> None:
    groups = made(tree, tmp_path, 0.02)
    groups.try_out()
    tree.groups.add(X1)
    tree.inside[X1], tree.stubborn = [7], {7}
    groups.clear()
    assert (tmp_path / "cgroups").read_text() == f"{X1.parent}\n"
    tree.stubborn.clear()
    groups.clear()
    assert X1.parent not in tree.groups


async def test_where_nothing_can_be_bounded_everything_says_so() -> None:
    unbounded = Unbounded("no way")
    group = unbounded.group("x.1", BOUNDS)
    assert group.enter().files == ()
    await group.leave()
    unbounded.clear()
    assert unbounded.missing == {"memory": "no way", "cpu": "no way", "tasks": "no way"}


@pytest.mark.parametrize(
    ("cpus", "quota"), [(1.0, (10_000, 10_000)), (2.5, (25_000, 10_000)), (0.05, (1000, 20_000)), (0.0001, (1000, 1_000_000))]
)  # fmt: skip
def test_a_share_of_the_cpu_is_given_in_short_periods(cpus: float, quota: tuple[int, int]) -> None:
    assert Bounds(1, cpus, 16).quota == quota
