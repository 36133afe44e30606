"""Charts rendered by the real Helm, from a copy that has its dependencies; each rendering is made once in a process."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.programs import needed

ROOT = Path(__file__).resolve().parents[2]
APPLICATIONS = sorted(file.parent.name for file in ROOT.glob("charts/*/Chart.yaml") if file.parent.name != "common")
VERSIONS = ("1.30", kubernetes_validate.latest_version())
"""The oldest and the newest Kubernetes that the charts are for."""
NAMESPACE = "agents"

Object = dict[str, Any]


def find_helm() -> str:
    """The program; see `needed`."""
    return needed("helm", "Helm")


@functools.cache
def charts() -> Path:
    """A copy of charts/ in which each chart has what it depends on."""
    find_helm()
    folder = Path(tempfile.mkdtemp(prefix="firebreak-charts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(ROOT / "charts", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    subprocess.run([ROOT / "scripts" / "charts", folder], check=True)
    return folder


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([find_helm(), *arguments], capture_output=True, text=True, check=False, cwd=charts())


def ci(chart: str) -> list[Path]:
    """The values that a chart is tried with, as its own ci/ has them."""
    return sorted((charts() / chart / "ci").glob("*-values.yaml"))


def ci_values(chart: str, name: str) -> Mapping[str, Any]:
    """Those of ci/NAME-values.yaml."""
    values: Mapping[str, Any] = yaml.safe_load((charts() / chart / "ci" / f"{name}-values.yaml").read_text())
    return values


def merged(*values: Mapping[str, Any]) -> dict[str, Any]:
    """Values over values, as Helm merges them: key by key, lists as a whole."""
    result: dict[str, Any] = {}
    for layer in values:
        for key, value in layer.items():
            inner = result.get(key)
            both = isinstance(value, Mapping) and isinstance(inner, Mapping)
            result[key] = merged(inner, value) if both and inner is not None else value
    return result


def render(chart: str, *values: Mapping[str, Any], kube: str = VERSIONS[0], release: str = "firebreak") -> list[Object]:
    """The objects that a chart makes of values, the later over the earlier."""
    code, out, err = _template(chart, _text(values), kube, release)
    assert code == 0, err
    return [item for item in yaml.load_all(out, yaml.CSafeLoader) if item]


def refusal(chart: str, *values: Mapping[str, Any]) -> str:
    """What Helm says to values that a chart does not take."""
    code, _, err = _template(chart, _text(values), VERSIONS[0], "firebreak")
    assert code != 0, "these values are taken"
    return err


def _text(values: tuple[Mapping[str, Any], ...]) -> str:
    """As JSON, which YAML takes but for one thing: a character beyond 16 bits that is escaped as two."""
    return json.dumps(merged(*values), sort_keys=True, ensure_ascii=False)


@functools.cache
def _template(chart: str, values: str, kube: str, release: str) -> tuple[int, str, str]:
    command = [
        find_helm(),
        "template",
        release,
        chart,
        "--namespace",
        NAMESPACE,
        "--kube-version",
        kube,
        "--values",
        "-",
    ]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False, cwd=charts())
    return done.returncode, done.stdout, done.stderr


def one(objects: list[Object], kind: str, name: str = "") -> Object:
    """The only object of a kind, and of a name where there are more."""
    found = [item for item in objects if item["kind"] == kind and name in ("", item["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} objects {kind} {name}"
    return found[0]


def containers(workload: Object) -> list[Object]:
    """Every container of a workload's pods, those that only begin them too."""
    pod = workload["spec"]["template"]["spec"]
    return [*pod["containers"], *pod.get("initContainers", [])]


def container(workload: Object, name: str) -> Object:
    return next(item for item in containers(workload) if item["name"] == name)


def workloads(objects: list[Object]) -> list[Object]:
    return [item for item in objects if item["kind"] in ("Deployment", "StatefulSet", "Job", "DaemonSet")]
