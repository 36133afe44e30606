"""A release can be upgraded in place: what Kubernetes lets nobody change is as in every version before.

The folders of tests/charts/previous are earlier versions; `python -m tests.charts.previous` adds the present one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.helpers import ROOT, Object, ci_values, one, render

PREVIOUS = ROOT / "tests" / "charts" / "previous"
FILES = sorted(PREVIOUS.glob("*/*.yaml"))

FROZEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "selector"),),
    "Service": (("spec", "clusterIP"),),
    "StatefulSet": (("spec", "selector"), ("spec", "serviceName"), ("spec", "volumeClaimTemplates")),
    "PersistentVolumeClaim": (("spec", "accessModes"), ("spec", "storageClassName"), ("spec", "volumeName")),
    "ServiceAccount": (),
    "Secret": (("type",), ("immutable",)),
}
"""What cannot be changed, by kind; that an object of these kinds is still there is asked for too."""


def at(item: Object, path: tuple[str, ...]) -> Any:
    value: Any = item
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def frozen(objects: list[Object]) -> dict[tuple[str, str], list[Any]]:
    return {
        (item["kind"], item["metadata"]["name"]): [at(item, path) for path in FROZEN[item["kind"]]]
        for item in objects
        if item["kind"] in FROZEN
    }


def broken(before: list[Object], now: list[Object]) -> list[tuple[str, str]]:
    """Objects of `before` that cannot become what they are now."""
    present = frozen(now)
    return [key for key, fields in frozen(before).items() if present.get(key) != fields]


def was(file: Path) -> tuple[str, str, list[Object]]:
    chart, name, _ = file.name.split(".")
    return chart, name, [item for item in yaml.load_all(file.read_text(), yaml.CSafeLoader) if item]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_an_earlier_release_can_become_this_one(file: Path):
    chart, name, before = was(file)
    assert broken(before, render(chart, ci_values(chart, name))) == []


def test_there_is_an_earlier_version_of_each_chart():
    assert {was(file)[0] for file in FILES} == {"service", "gateway", "firebreak"}


def _selector(item: Object) -> None:
    item["spec"]["selector"]["matchLabels"]["version"] = "2"


def _renamed(item: Object) -> None:
    item["metadata"]["name"] = "other"


def _address(item: Object) -> None:
    item["spec"].pop("clusterIP")


@pytest.mark.parametrize(
    ("kind", "change"), [("Deployment", _selector), ("ServiceAccount", _renamed), ("Service", _address)]
)
def test_a_change_that_kubernetes_refuses_is_found(kind: str, change: Callable[[Object], None]):
    before = render("service", ci_values("service", "calculator"))
    now = copy.deepcopy(before)
    change(one(now, kind))
    assert broken(before, now) == [(kind, "calculator")]
    assert broken(before, before) == []
