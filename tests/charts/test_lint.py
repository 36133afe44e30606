"""Helm's own judgement, on each chart with each of its values."""

from __future__ import annotations

import subprocess
import tomllib

import pytest
import yaml

from tests.charts.helpers import APPLICATIONS, ROOT, VERSIONS, charts, ci, helm

VALUES = [
    (chart, file.name)
    for chart in APPLICATIONS
    for file in sorted((ROOT / "charts" / chart / "ci").glob("*-values.yaml"))
]


@pytest.mark.parametrize("kube", VERSIONS)
@pytest.mark.parametrize(("chart", "values"), VALUES)
def test_lint_finds_nothing(chart: str, values: str, kube: str):
    done = helm("lint", "--strict", chart, "--values", f"{chart}/ci/{values}", "--kube-version", kube)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("chart", APPLICATIONS)
def test_each_chart_has_values_to_be_tried_with(chart: str):
    assert ci(chart)


@pytest.mark.parametrize("chart", APPLICATIONS)
def test_a_chart_depends_on_this_repository_only(chart: str):
    about = yaml.safe_load((charts() / chart / "Chart.yaml").read_text())
    for dependency in about["dependencies"]:
        assert dependency["repository"].startswith("file://../")
        name = dependency["repository"].removeprefix("file://../")
        beside = yaml.safe_load((charts() / name / "Chart.yaml").read_text())
        assert (beside["name"], beside["version"]) == (dependency["name"], dependency["version"])


@pytest.mark.parametrize("chart", [chart for chart in APPLICATIONS if chart != "service"])
def test_a_chart_runs_the_version_that_this_repository_is(chart: str):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((charts() / chart / "Chart.yaml").read_text())["appVersion"] == version
    defaults = yaml.safe_load((charts() / "gateway" / "values.yaml").read_text())
    assert defaults["image"]["tag"] == version


def test_all_charts_have_one_version():
    found = {file.parent.name: yaml.safe_load(file.read_text())["version"] for file in charts().glob("*/Chart.yaml")}
    assert len(set(found.values())) == 1, found


def test_kubernetes_older_than_the_oldest_is_refused():
    for chart in APPLICATIONS:
        values = str(ci(chart)[0])
        done = helm("template", "firebreak", chart, "--values", values, "--kube-version", "1.29.0")
        assert "kubeVersion" in done.stderr


def test_nothing_that_helm_fetches_is_in_git():
    tracked = subprocess.run(["git", "ls-files", "charts"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not [file for file in tracked.split() if "/charts/" in file.removeprefix("charts/") or "Chart.lock" in file]
