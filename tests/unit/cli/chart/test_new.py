"""`firebreak new` writes values too, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli.main import app
from tests.unit.cli.chart.conftest import Chart


def new(repository: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["new", *words, "--config", str(repository / "firebreak.yaml")])


@pytest.mark.parametrize("kind", ["tool", "agent", "model"])
def test_what_is_made_has_values_that_are_not_stale(repository: Path, chart: Chart, kind: str) -> None:
    done = new(repository, kind, "shout")
    assert "charts/values/shout.yaml: written, for Kubernetes; `firebreak chart shout` makes it anew" in done.output
    made = yaml.safe_load((repository / "charts/values/shout.yaml").read_text())
    assert made["service"] == yaml.safe_load((repository / "services/shout/service.yaml").read_text())
    assert chart("shout", "--check").exit_code == 0


def test_programs_are_told_the_file(repository: Path) -> None:
    assert json.loads(new(repository, "tool", "shout", "--json").stdout)["values"] == "charts/values/shout.yaml"


@pytest.mark.parametrize("folders", ["", "charts", "charts/values"])
def test_an_error_afterwards_leaves_no_values_and_no_new_folder(repository: Path, folders: str) -> None:
    (repository / folders).mkdir(parents=True, exist_ok=True)
    before = sorted(repository.glob("charts/**"))
    file = repository / "firebreak.yaml"
    taken = "- {path: services/calculator, address: 'unix:.firebreak/run/shout.sock'}"
    file.write_text(file.read_text().replace("- path: services/calculator", taken))
    assert new(repository, "tool", "shout").exit_code == 1
    assert sorted(repository.glob("charts/**")) == before
    assert not (repository / "charts/values/shout.yaml").exists()


def test_values_of_an_older_service_are_not_inherited(repository: Path) -> None:
    file = repository / "charts/values/shout.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("egressAnywhere: true\n")
    done = new(repository, "tool", "shout")
    assert done.exit_code == 1
    assert "there is a charts/values/shout.yaml already" in done.output
    assert file.read_text() == "egressAnywhere: true\n"


@pytest.mark.parametrize("name", ["firebreak-gateway", "shout-"])
def test_a_name_that_no_cluster_takes_is_refused_at_once(repository: Path, name: str) -> None:
    done = new(repository, "tool", name)
    assert done.exit_code == 1
    assert "on Kubernetes" in done.output
    assert not (repository / "services" / name).exists()
