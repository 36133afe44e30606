"""Which control groups can be used: tried before they are relied on, and left as they were where it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.local.sandbox.mounted import Mounted
from cli.local.sandbox.walls import Walls, find, folders
from tests.unit.cli.local.sandbox.test_mounted import MOUNTS1, MOUNTS2, OWN1
from tests.unit.cli.local.sandbox.trees import MemoryTree

CGROUP = Path("/sys/fs/cgroup")
ME = CGROUP / "me"


@pytest.fixture
def tree() -> MemoryTree:
    """Of version 2, with a group that is the launcher's alone."""
    tree = MemoryTree(str(CGROUP), str(ME))
    tree.files[ME / "cgroup.controllers"] = "cpu memory pids io\n"
    return tree


def look(tree: MemoryTree, tmp_path: Path) -> str:
    groups, why = folders(tree, Mounted(MOUNTS2, "0::/me\n"), "i", tmp_path / "cgroups", 42)
    assert (groups is None) == bool(why)
    return why


def test_the_launcher_makes_room_for_groups_beside_itself(tree: MemoryTree, tmp_path: Path) -> None:
    assert look(tree, tmp_path) == ""
    assert tree.files[ME / "firebreak-launcher/cgroup.procs"] == "42"
    assert tree.files[ME / "cgroup.subtree_control"] == "+memory +pids +cpu"
    assert tree.folders(ME / "firebreak-i") == []


def test_where_controllers_are_handed_down_already_the_launcher_stays(tree: MemoryTree, tmp_path: Path) -> None:
    tree.files[ME / "cgroup.subtree_control"] = "memory cpu pids\n"
    assert look(tree, tmp_path) == ""
    assert ME / "firebreak-launcher" not in tree.groups


def test_where_others_share_the_group_everything_is_as_before(tree: MemoryTree, tmp_path: Path) -> None:
    tree.refused = {"cgroup.subtree_control"}
    assert "busy" in look(tree, tmp_path)
    assert tree.files[ME / "cgroup.procs"] == "42"
    assert tree.folders(ME) == []


@pytest.mark.parametrize(
    ("refused", "controllers", "why"), [("mkdir", "memory pids cpu", "denied"), ("", "io", "controllers")]
)
def test_one_that_is_not_delegated_is_told(
    tree: MemoryTree, tmp_path: Path, refused: str, controllers: str, why: str
) -> None:
    tree.refused = {refused}
    tree.files[ME / "cgroup.controllers"] = controllers
    assert why in look(tree, tmp_path)


def test_version_1_is_used_where_it_has_the_controllers(tmp_path: Path) -> None:
    tree = MemoryTree(*(f"{CGROUP}/{name}" for name in ("memory", "memory/user", "memory/user/me", "pids", "cpu")))
    groups, _ = folders(tree, Mounted(MOUNTS1, OWN1), "i", tmp_path / "cgroups", 42)
    assert groups is not None
    assert len((tmp_path / "cgroups").read_text().splitlines()) == 3


def test_where_none_is_wanted_nothing_is_tried(tmp_path: Path) -> None:
    walls = find("none", tmp_path)
    assert (walls.mode, walls.box) == (Walls().mode, None)
    assert list(tmp_path.iterdir()) == []
