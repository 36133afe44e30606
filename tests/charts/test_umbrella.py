"""The umbrella chart says of every service what its service.yaml says, and its gateway takes what it is given."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.chart.image import Image
from cli.chart.making import Maker
from gateway.adapters.config_files import load
from gateway.adapters.policy.bundle import read_bundle
from tests.charts.helpers import NAMESPACE, ROOT, VERSIONS, Object, ci_values, helm, one, render

CHART = yaml.safe_load((ROOT / "charts" / "firebreak" / "Chart.yaml").read_text())
VALUES = yaml.safe_load((ROOT / "charts" / "firebreak" / "values.yaml").read_text())
NAMES = [entry["alias"] for entry in CHART["dependencies"] if entry["name"] == "firebreak-service"]
GATEWAY = "firebreak-gateway"
MOUNTED = "/etc/firebreak"


def said(name: str) -> Any:
    return yaml.safe_load((ROOT / "services" / name / "service.yaml").read_text())


def test_it_installs_what_the_configuration_on_one_machine_names() -> None:
    entries = yaml.safe_load((ROOT / "firebreak.yaml").read_text())["services"]
    assert sorted(NAMES) == sorted(entry["path"].removeprefix("services/") for entry in entries)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_as_its_own_file_says(name: str) -> None:
    assert VALUES[name]["service"] == said(name)
    assert VALUES[GATEWAY]["services"][name] == said(name)


def test_the_policy_is_that_of_the_repository() -> None:
    there = {path.relative_to(ROOT / "policies").as_posix(): path.read_text() for path in policy_files()}
    assert VALUES[GATEWAY]["policies"] == there


def policy_files() -> Iterator[Path]:
    return (path for path in (ROOT / "policies").rglob("*") if path.is_file() and path.suffix != ".md")


@pytest.mark.parametrize(("values", "there"), [("cluster", False), ("web-fetch", True)])
def test_the_catalogue_is_what_is_installed_and_web_fetch_only_where_its_addresses_are_given(
    values: str, there: bool, tmp_path: Path
) -> None:
    objects = render("firebreak", ci_values("firebreak", values))
    catalogue = {service.name for _, service in load(mounted(objects, tmp_path)).services}
    assert catalogue == deployments(objects) - {GATEWAY}
    assert catalogue == {name for name in NAMES if there or name != "web-fetch"}


def deployments(objects: list[Object]) -> set[str]:
    return {item["metadata"]["name"] for item in objects if item["kind"] == "Deployment"}


CASES = [
    pytest.param("firebreak", "cluster", id="umbrella"),
    pytest.param("gateway", "minimal", id="minimal"),
    pytest.param("gateway", "full", id="full"),
]


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_the_gateway_takes_its_files_as_a_cluster_mounts_them(chart: str, values: str, tmp_path: Path) -> None:
    file = mounted(render(chart, ci_values(chart, values)), tmp_path)
    # Certificates and Secrets are not the chart's to give: their files are missing here, and nothing else is wrong.
    said = complaints(file)
    assert all("there is no f" in line for line in said if line), said
    assert read_bundle(tmp_path / "etc" / "policies" / "current").modules


def test_the_umbrella_gateway_lacks_nothing(tmp_path: Path) -> None:
    assert complaints(mounted(render("firebreak", ci_values("firebreak", "cluster")), tmp_path)) == []


@pytest.mark.parametrize("chart", ["gateway", "firebreak"])
def test_the_command_that_is_printed_for_its_values_works(chart: str, tmp_path: Path) -> None:
    file, maker = tmp_path / "made.yaml", Maker(ROOT / "firebreak.yaml", Image())
    made = maker.one("gateway", file) if chart == "gateway" else maker.umbrella(file)
    file.write_text(made.text)
    (tmp_path / "jwks.json").write_text('{"keys": []}')
    words = shlex.split(made.install[-1].replace("jwks=jwks.json", f"jwks={tmp_path}/jwks.json"))
    assert words[:3] == ["helm", "upgrade", "--install"]
    assert words[4] == f"charts/{chart}"
    done = helm("template", words[3], chart, *words[5:], "--kube-version", VERSIONS[0])
    assert done.returncode == 0, done.stderr
    assert "issuer: ISSUER" in done.stdout


def complaints(file: Path) -> list[str]:
    command = [sys.executable, "-m", "gateway", "--config", str(file), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stderr.splitlines()


def mounted(objects: list[Object], folder: Path) -> Path:
    """The volumes that the chart itself fills, laid out below `folder` as the kubelet does: each entry is a link."""
    etc = folder / "etc"
    pod = one(objects, "Deployment", GATEWAY)["spec"]["template"]["spec"]
    (gateway,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in gateway["volumeMounts"]:
        files = dict(contents(volumes[mount["name"]], objects))
        if files and "subPath" not in mount:
            lay_out(etc / Path(mount["mountPath"]).relative_to(MOUNTED), files)
    file = etc / "firebreak.yaml"
    text = one(objects, "ConfigMap", GATEWAY)["data"]["firebreak.yaml"]
    assert f"system:serviceaccount:{NAMESPACE}:" in text
    file.write_text(text.replace(MOUNTED, str(etc)))
    return file


def contents(volume: Mapping[str, Any], objects: list[Object]) -> Iterator[tuple[str, str]]:
    """Path and text of each file in a volume, from the ConfigMaps and Secrets among `objects`."""
    sources = volume.get("projected", {}).get("sources", [volume])
    for source in sources:
        found = source.get("configMap")
        for item in objects:
            if found and item["kind"] == "ConfigMap" and item["metadata"]["name"] == found["name"]:
                yield from ((each["path"], item["data"][each["key"]]) for each in found["items"])
            if item["kind"] == "Secret" and item["metadata"]["name"] == source.get("secret", {}).get("secretName"):
                yield from item["data"].items()


def lay_out(place: Path, files: Mapping[str, str]) -> None:
    real = place / "..2026_01_01"
    for path, text in files.items():
        (real / path).parent.mkdir(parents=True, exist_ok=True)
        (real / path).write_text(text)
    (place / "..data").symlink_to(real.name)
    for top in sorted({path.split("/")[0] for path in files}):
        (place / top).symlink_to(Path("..data") / top)
