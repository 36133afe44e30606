"""A release can be upgraded in place, from every version before: nothing is refused, and no call is lost on the way.

The folders of tests/charts/previous are earlier versions; `python -m tests.charts.previous` adds the one that is released.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.charts.helpers import ROOT, Object, ci_values, one, refusal, render
from tests.charts.upgrade import broken

PREVIOUS = ROOT / "tests" / "charts" / "previous"
FILES = sorted(PREVIOUS.glob("*/*.yaml"))
Change = Callable[[list[Object]], None]


def was(file: Path) -> tuple[str, str, list[Object]]:
    chart, name, _ = file.name.split(".")
    return chart, name, [item for item in yaml.load_all(file.read_text(), yaml.CSafeLoader) if item]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_an_earlier_release_can_become_this_one(file: Path):
    chart, name, before = was(file)
    assert broken(before, render(chart, ci_values(chart, name))) == []


@pytest.mark.parametrize("folder", sorted({file.parent for file in FILES}), ids=lambda folder: folder.name)
def test_each_chart_of_an_earlier_version_is_there(folder: Path):
    assert {was(file)[0] for file in FILES if file.parent == folder} == {"service", "gateway", "firebreak"}


def _selector(made: list[Object]) -> None:
    one(made, "Deployment")["spec"]["selector"]["matchLabels"]["version"] = "2"


def _renamed(made: list[Object]) -> None:
    one(made, "ServiceAccount")["metadata"]["name"] = "other"


def _address(made: list[Object]) -> None:
    one(made, "Service")["spec"]["clusterIP"] = "None"


def _port(made: list[Object]) -> None:
    one(made, "Service")["spec"]["ports"][0]["port"] = 7777


def _target(made: list[Object]) -> None:
    one(made, "Service")["spec"]["ports"][0]["targetPort"] = "other"


def _budget(made: list[Object]) -> None:
    labels = one(made, "Deployment")["spec"]["template"]["metadata"]["labels"]
    labels["tier"] = one(made, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]["tier"] = "front"


def _open(made: list[Object]) -> None:
    made.remove(one(made, "NetworkPolicy"))


def _key(made: list[Object]) -> None:
    one(made, "ConfigMap", "firebreak-gateway-services")["data"].pop("calculator.yaml")


def _forgotten(made: list[Object]) -> None:
    one(made, "Secret")["metadata"]["annotations"].clear()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_selector, ["Deployment firebreak-gateway: spec.selector changed"]),
        (_renamed, ["ServiceAccount firebreak-gateway: is gone"]),
        (_address, ["Service firebreak-gateway: spec.clusterIP changed"]),
        (_port, ["Service firebreak-gateway: port grpc 7500 is gone"]),
        (_target, ["Service firebreak-gateway: the pods that run have no port other"]),
        (_budget, ["PodDisruptionBudget firebreak-gateway: spec.selector changed",
                   "PodDisruptionBudget firebreak-gateway: does not select the pods of Deployment firebreak-gateway that run"]),
        (_open, ["NetworkPolicy firebreak-gateway: is gone"]),
        (_key, ["ConfigMap firebreak-gateway-services: key calculator.yaml is gone"]),
        (_forgotten, ["Secret firebreak-session-keys: metadata.annotations.helm.sh/resource-policy changed"]),
    ],
)  # fmt: skip
def test_a_change_that_breaks_an_upgrade_is_found(change: Change, words: list[str]):
    before = render("gateway", ci_values("gateway", "minimal"))
    now = copy.deepcopy(before)
    assert broken(before, now) == []
    change(now)
    assert broken(before, now) == words


def test_a_file_that_is_mounted_by_itself_is_kept_too():
    before = render("service", ci_values("service", "calculator"))
    now = copy.deepcopy(before)
    one(now, "ConfigMap")["data"] = {}
    assert broken(before, now) == ["ConfigMap calculator: key service.yaml is gone"]


def test_a_service_that_is_taken_out_leaves_its_file_to_the_pods_that_run():
    values = ci_values("firebreak", "web-fetch")
    off = {"firebreak-gateway": {"installed": {"web-fetch": False}}}
    lost = broken(render("firebreak", values), render("firebreak", values, off))
    assert "Deployment web-fetch: is gone" in lost
    assert all(" web-fetch: " in line for line in lost), lost


def test_a_policy_with_other_files_reaches_the_pods_that_run_whole_or_not_at_all():
    def policies(made: list[Object]) -> list[str]:
        volumes = one(made, "Deployment")["spec"]["template"]["spec"]["volumes"]
        (source,) = next(volume for volume in volumes if volume["name"] == "policies")["projected"]["sources"]
        assert "optional" not in source["configMap"], "one missing key is enough for the kubelet to renew none"
        return [item["key"] for item in source["configMap"]["items"]]

    values = ci_values("gateway", "minimal")
    before = render("gateway", values)
    assert set(policies(before)) == set(one(before, "ConfigMap", "firebreak-gateway-policies")["data"])
    edited = {"policies": dict.fromkeys(values["policies"], "# edited\n")}
    added = {"policies": {"firebreak/main/more.rego": "package firebreak.main\n"}}
    assert broken(before, render("gateway", values, edited)) == []
    (line,) = broken(before, render("gateway", values, added))
    assert line.startswith("ConfigMap firebreak-gateway-policies: key files-")


REMOVED = [
    ("gateway", {"serviceAccounts": {"token": True}}, "--set-file serviceAccounts.jwks=jwks.json"),
    ("gateway", {"serviceAccounts": {"token": False}}, "serviceAccounts.token is no more since chart 0.2.0"),
    ("gateway", {"journal": {"podSize": "64MiB"}}, "set journal.postgresql.urlSecret"),
    ("firebreak", {"firebreak-gateway": {"journal": {"podSize": "64MiB"}}}, "take it out"),
    ("firebreak", {"web-fetch": {"enabled": True}}, "set firebreak-gateway.installed.web-fetch to true"),
    ("service", {"enabled": True}, "enabled"),
]
"""Keys that an earlier version had, and what is said to values that have them still."""


@pytest.mark.parametrize(("chart", "over", "words"), REMOVED)
def test_values_of_an_earlier_version_are_told_what_to_do(chart: str, over: dict[str, object], words: str):
    name = {"gateway": "minimal", "firebreak": "cluster", "service": "calculator"}[chart]
    assert words in refusal(chart, ci_values(chart, name), over)
