"""Changes are told when they are complete and right, each once; what is wrong is told once too."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.local.following import Following, wanted
from cli.local.layout import Layout
from gateway.adapters.config_files import Loaded, load

SERVICE = {"name": "x", "kind": "tool", "version": "1.0.0", "entrypoint": "x:x", "effect": "READ"}


class Repository:
    """A configuration with a service, and what is told of its changes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config: dict[str, Any] = {
            "listeners": [{"name": "public", "address": "127.0.0.1:7500", "accept": ["jwt"]}],
            "admin": "127.0.0.1:7501",
            "identity": {"session_keys": "keys"},
            "policy": {"path": "policies"},
            "services": [],
        }
        (root / "policies").mkdir()
        self.add("x")
        self.told: list[Loaded] = []
        self.said: list[str] = []
        layout = Layout(root / "firebreak.yaml", root / ".firebreak", root / ".firebreak/envs")
        self.following = Following(layout, load(layout.config), self.told.append, self.said.append)

    def add(self, name: str) -> None:
        self.service(name)
        self.config["services"].append({"path": name})
        self.write()

    def service(self, name: str, **changes: Any) -> None:
        (self.root / name).mkdir(exist_ok=True)
        (self.root / name / "service.yaml").write_text(yaml.safe_dump(SERVICE | {"name": name} | changes))

    def write(self, **changes: Any) -> None:
        self.config |= changes
        (self.root / "firebreak.yaml").write_text(yaml.safe_dump(self.config))

    def look(self, times: int = 4) -> list[list[str]]:
        """The names of the services in each configuration that was told within so many looks.

        One that is told again as it was counts once: folders of new services are followed from the next look on.
        """
        self.told.clear()
        for _ in range(times):
            self.following.look()
        named = [[config.name for _, config in loaded.services] for loaded in self.told]
        return [names for names, _ in itertools.groupby(named)]


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_nothing_is_told_while_nothing_changes(here: Repository) -> None:
    assert here.look() == []


def test_a_new_service_is_told_once(here: Repository) -> None:
    here.add("y")
    assert here.look() == [["x", "y"]]
    assert here.look() == []


def test_a_change_is_told_only_when_nothing_is_written_any_more(here: Repository) -> None:
    (here.root / "x/tool.py").write_text("1")
    assert here.look(1) == []
    (here.root / "x/tool.py").write_text("12")
    assert here.look(1) == []
    assert here.look(1) == [["x"]]


def test_an_environment_that_was_made_anew_is_told_when_it_is_complete(here: Repository) -> None:
    env = here.root / ".firebreak/envs/x"
    env.mkdir(parents=True)
    (env / ".stamp").write_text("1")
    assert here.look() == []
    (env / ".wheels").write_text("1")
    assert here.look() == [["x"]]


def test_a_wrong_configuration_is_told_once_and_changes_nothing(here: Repository) -> None:
    here.service("x", effect="SOMETIMES")
    assert here.look() == []
    assert len(here.said) == 1
    assert "nothing changes until it is right" in here.said[0]
    assert "service.yaml" in here.said[0]
    here.service("x", effect="IDEMPOTENT")
    assert here.look() == [["x"]]
    assert here.said[1:] == ["the configuration is right again"]


def test_an_entry_may_be_written_before_its_folder(here: Repository) -> None:
    here.write(services=[{"path": "x"}, {"path": "y"}])
    assert here.look() == []
    here.service("y")
    assert here.look() == [["x", "y"]]


def test_what_takes_a_restart_is_said_and_the_rest_goes_on(here: Repository) -> None:
    here.add("y")
    here.write(admin="127.0.0.1:7599", drain="1s")
    assert here.look() == [["x", "y"]]
    assert here.said == ["changed, but not in force before Firebreak is started again: admin, drain"]
    here.add("z")
    assert here.look()[0] == ["x", "y", "z"]
    assert len(here.said) == 1


def test_what_is_wanted_of_a_service_changes_with_its_files_and_its_entry(here: Repository) -> None:
    def now() -> Any:
        return wanted(load(here.root / "firebreak.yaml").services, here.root)["x"]

    seen = [now()]
    assert now() == seen[0]
    (here.root / "x/tool.py").touch()
    seen.append(now())
    (here.root / "x/requirements.lock").touch()
    seen.append(now())
    here.write(services=[{"path": "x", "address": "unix:other.sock"}])
    seen.append(now())
    assert [one != other for one, other in itertools.pairwise(seen)] == [True] * 3
    assert [one.recipe != other.recipe for one, other in itertools.pairwise(seen)] == [False, True, False]
