"""Environments are made when they are missing or their lock changed, by the repository's own setup and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.local.environments import Environments, Recipe
from cli.local.layout import Layout

SETUP = """
import pathlib, sys
root = pathlib.Path(__file__).parent.parent
with (root / "ran").open("a") as file:
    file.write(" ".join(sys.argv[1:]) + chr(10))
env = root / ".firebreak/envs" / sys.argv[2]
error = env.with_name(env.name + ".error")
error.parent.mkdir(parents=True, exist_ok=True)
error.unlink(missing_ok=True)
if (root / "no-network").exists():
    error.write_text("the index cannot be reached")
    sys.exit(1)
if (root / "no-uv").exists():
    sys.exit("setup: installing uv failed")
(env / "bin").mkdir(parents=True, exist_ok=True)
(env / "bin/python").touch()
"""
OLD: Recipe = ((("requirements.lock", 1, 1),), None)
NEW: Recipe = ((("requirements.lock", 2, 1),), None)


class Repository:
    """A folder with a setup of its own, and the environments in it."""

    def __init__(self, root: Path, envs: str = ".firebreak/envs") -> None:
        self.root = root
        self.layout = Layout(root / "firebreak.yaml", root / ".firebreak", root / envs)
        self.layout.make()
        (root / "scripts").mkdir()
        (root / "scripts/setup.py").write_text(SETUP)
        self.said: list[str] = []
        self.environments = Environments(self.layout, self.said.append)

    def installed(self) -> None:
        python = self.environments.python("x")
        python.parent.mkdir(parents=True)
        python.touch()

    @property
    def ran(self) -> list[str]:
        ran = self.root / "ran"
        return ran.read_text().splitlines() if ran.exists() else []


async def test_what_is_installed_is_used_as_it_is(tmp_path: Path) -> None:
    here = Repository(tmp_path)
    here.installed()
    assert await here.environments.why_not("x", OLD) == ""
    assert (here.ran, here.said) == ([], [])


async def test_what_is_missing_is_made(tmp_path: Path) -> None:
    here = Repository(tmp_path)
    assert await here.environments.why_not("x", OLD) == ""
    assert (here.ran, here.said) == (["service x"], ["x: installing its environment"])


@pytest.mark.parametrize("changed", [NEW, (OLD[0], "3.12")])
async def test_what_was_made_from_another_recipe_is_made_again_once(tmp_path: Path, changed: Recipe) -> None:
    here = Repository(tmp_path)
    here.installed()
    for _ in range(2):
        assert await here.environments.why_not("x", OLD) == ""
    for _ in range(2):
        assert await here.environments.why_not("x", changed) == ""
    assert here.ran == ["service x"]


async def test_what_could_not_be_installed_is_tried_again_when_the_lock_changed(tmp_path: Path) -> None:
    here = Repository(tmp_path)
    (tmp_path / "no-network").touch()
    for _ in range(2):
        assert await here.environments.why_not("x", OLD) == "the index cannot be reached"
    assert here.ran == ["service x"]
    (tmp_path / "no-network").unlink()
    assert await here.environments.why_not("x", NEW) == ""


async def test_what_setup_could_not_install_before_the_start_is_told_at_once(tmp_path: Path) -> None:
    here = Repository(tmp_path)
    here.layout.envs.mkdir()
    (here.layout.envs / "x.error").write_text("no Python 3.99 here\n")
    assert await here.environments.why_not("x", OLD) == "no Python 3.99 here"
    assert here.ran == []


async def test_a_setup_that_fails_before_it_comes_to_the_service_is_no_success(tmp_path: Path) -> None:
    here = Repository(tmp_path)
    here.installed()
    await here.environments.why_not("x", OLD)
    (tmp_path / "no-uv").touch()
    reason = await here.environments.why_not("x", NEW)
    assert reason == "its environment could not be made: setup: installing uv failed"


async def test_environments_elsewhere_are_nothing_that_setup_could_make(tmp_path: Path) -> None:
    here = Repository(tmp_path, "elsewhere")
    for recipe in (OLD, NEW):
        assert "run `python3 scripts/setup.py service x`" in await here.environments.why_not("x", recipe)
    assert here.ran == []
