"""What the API server says to the charts: installed, upgraded from what was released before, and rolled back."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
import yaml

from tests.charts.helpers import APPLICATIONS, charts, ci
from tests.charts.test_upgrade import FILES, was
from tests.cluster.lab import Lab, Object, until

CASES = [(chart, file.name.removesuffix("-values.yaml")) for chart in APPLICATIONS for file in ci(chart)]

RELEASE = "firebreak"
"""Also of those that tests/charts/previous holds."""
CHANGES = {
    "gateway": "drain.preStop=6",
    "service": "resources.cpuRequest=10m",
    "firebreak": "firebreak-gateway.drain.preStop=6",
}
"""What an upgrade changes, by chart: something that means new pods."""


@pytest.fixture(scope="module", autouse=True)
def nothing_is_started(lab: Lab):
    """What is asked here is said by the API server and the controllers; images of examples are nowhere to be had."""
    nodes = [node["metadata"]["name"] for node in lab.get("nodes")["items"]] if lab.enter else []
    for node in nodes:
        lab.kubectl("cordon", node)
    yield
    for node in nodes:
        lab.kubectl("uncordon", node)


@pytest.fixture
def namespace(lab: Lab):
    """One for each test: those before it take their time to go."""
    name = f"firebreak-{secrets.token_hex(4)}"
    yield lab.make_namespace(name)
    lab.kubectl("delete", "namespace", name, "--wait=false")


def workloads(lab: Lab, namespace: str) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in lab.get("deployments", "-n", namespace)["items"]}


def pods_were_admitted(lab: Lab, namespace: str) -> None:
    """Every deployment has its pods, which a controller made: none was refused for what it asks for."""
    until(
        "every deployment has its pods, or says why not", lambda: all(map(decided, workloads(lab, namespace).values()))
    )
    for name, one in workloads(lab, namespace).items():
        assert not refusals(one), f"{name}: {refusals(one)}"


def refusals(deployment: Object) -> list[str]:
    conditions = deployment["status"].get("conditions", [])
    return [each["message"] for each in conditions if each["type"] == "ReplicaFailure"]


def decided(deployment: Object) -> bool:
    """Whether the controllers have made as many pods as it asks for, or could not."""
    status = deployment["status"]
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return bool(seen and (refusals(deployment) or status.get("replicas", 0) >= deployment["spec"]["replicas"]))


def previous_chart(file: Path, folder: Path, namespace: str) -> Path:
    """A chart that renders what an earlier version rendered."""
    chart, _, objects = was(file)
    made = folder / "previous"
    (made / "templates").mkdir(parents=True)
    name = "firebreak" if chart == "firebreak" else f"firebreak-{chart}"
    (made / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {file.parent.name}\n")
    for one in objects:
        one["metadata"]["namespace"] = namespace
    text = yaml.safe_dump_all(objects)
    (made / "templates" / "all.yaml").write_text(text.replace("{{", '{{ "{{" }}'))
    return made


@pytest.mark.parametrize(("chart", "name"), CASES, ids=lambda part: str(part))
def test_it_is_installed_changed_and_rolled_back(lab: Lab, namespace: str, chart: str, name: str) -> None:
    values = charts() / chart / "ci" / f"{name}-values.yaml"
    place = (RELEASE, str(charts() / chart), "-n", namespace, "-f", str(values))
    said = lab.helm("install", *place)
    assert "STATUS: deployed" in said
    pods_were_admitted(lab, namespace)
    lab.helm("upgrade", *place, "--set", CHANGES[chart])
    lab.helm("rollback", RELEASE, "1", "-n", namespace)
    assert "deployed" in lab.helm("status", RELEASE, "-n", namespace)


@pytest.mark.parametrize(("chart", "name"), CASES, ids=lambda part: str(part))
def test_no_field_is_unknown_to_the_server(lab: Lab, namespace: str, chart: str, name: str) -> None:
    values = charts() / chart / "ci" / f"{name}-values.yaml"
    made = lab.helm("template", RELEASE, str(charts() / chart), "-n", namespace, "-f", str(values), "--validate")
    said = lab.kubectl("apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", given=made)
    assert "Warning" not in said


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"from-{file.parent.name}-{file.stem}")
def test_an_earlier_version_is_upgraded_in_place(lab: Lab, namespace: str, file: Path, tmp_path: Path) -> None:
    chart, name, _ = was(file)
    values = charts() / chart / "ci" / f"{name}-values.yaml"
    lab.helm("install", RELEASE, str(previous_chart(file, tmp_path, namespace)), "-n", namespace)
    before = workloads(lab, namespace)
    lab.helm("upgrade", RELEASE, str(charts() / chart), "-n", namespace, "-f", str(values))
    after = workloads(lab, namespace)
    kept = before.keys() & after.keys()
    assert kept
    assert all(before[name]["metadata"]["uid"] == after[name]["metadata"]["uid"] for name in kept)
    pods_were_admitted(lab, namespace)
    lab.helm("rollback", RELEASE, "1", "-n", namespace)
