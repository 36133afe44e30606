"""Prometheus and Grafana find what is theirs, and whoever is woken finds what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.charts.helpers import ROOT, ci_values, one, refusal
from tests.charts.monitoring import alerts, dashboard, panels, rendered

KINDS = {"serviceMonitor": "ServiceMonitor", "alerts": "PrometheusRule", "dashboard": "ConfigMap"}
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("asked", KINDS)
def test_each_part_is_there_only_when_asked_for(asked: str) -> None:
    without, having = rendered(), rendered(**{asked: True})
    names = [(item["kind"], item["metadata"]["name"]) for item in without]
    (added,) = [item for item in having if (item["kind"], item["metadata"]["name"]) not in names]
    assert added["kind"] == KINDS[asked]
    assert len(having) == len(without) + 1


def test_the_monitor_reads_the_admin_port_of_the_gateway() -> None:
    objects = rendered(serviceMonitor=True)
    monitor, service = one(objects, "ServiceMonitor"), one(objects, "Service", "firebreak-gateway")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]}[endpoint["port"]] == 7501
    assert "jobLabel" not in monitor["spec"]  # then the job is the service's name, which an alert asks for


def labels_with(own: dict[str, str]) -> dict[str, dict[str, str]]:
    objects = rendered(serviceMonitor=True, alerts=True, dashboard=True, labels=own)
    found = {kind: [item for item in objects if item["kind"] == kind][-1] for kind in KINDS.values()}
    found["ConfigMap"] = one(objects, "ConfigMap", "firebreak-gateway-dashboard")
    return {kind: item["metadata"]["labels"] for kind, item in found.items()}


def test_what_prometheus_selects_by_is_on_what_it_reads() -> None:
    own = {"release": "kube-prometheus-stack", "example.org/tier": "1"}
    plain, labelled = labels_with({}), labels_with(own)
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert labelled[kind] == {**plain[kind], **own}
    assert labelled["ConfigMap"] == plain["ConfigMap"]


def test_the_dashboard_has_the_label_that_grafana_looks_for() -> None:
    assert labels_with({"release": "x"})["ConfigMap"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": {"release": 1}},
        {"labels": {"app.kubernetes.io/name": "mine"}},
        {"labels": {"helm.sh/chart": "mine"}},
        {"labels": {"firebreak.dev/component": "mine"}},
        {"runbooks": "docs/operations.md"},
        {"runbooks": "https://docs.example.org/operations#alerts"},
        {"runbook": "https://docs.example.org"},
    ],
)
def test_a_wrong_value_is_refused(wrong: dict[str, Any]) -> None:
    monitoring = {"serviceMonitor": True, **wrong}
    said = refusal("gateway", ci_values("gateway", "minimal"), {"monitoring": monitoring})
    assert re.search(rf"monitoring.*{next(iter(wrong))}", said)


def test_every_alert_says_what_it_means_and_where_to_read_on() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    found = alerts()
    assert [alert["alert"] for alert in found] == [name for name in headings if name.startswith("Firebreak")]
    for alert in found:
        notes = alert["annotations"]
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert notes.keys() == {"summary", "description", "runbook"}
        assert all(notes.values())
        assert notes["runbook"] == f"docs/operations.md#{alert['alert'].lower()}"


def test_where_the_runbooks_are_is_in_every_alert() -> None:
    address = "https://docs.example.org/operations"
    for alert in alerts(runbooks=address):
        assert alert["annotations"]["runbook_url"] == f"{address}#{alert['alert'].lower()}"


def test_every_panel_can_be_understood_and_read() -> None:
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in ("reqps", "cps", "s", "bytes", "short")
        assert panel["datasource"] == DATA_SOURCE
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])


def test_no_two_panels_are_the_same_or_cover_each_other() -> None:
    found = dashboard()["panels"]
    assert found[0]["type"] == "row"
    assert len({panel["id"] for panel in found}) == len(found)
    assert len({panel["title"] for panel in found}) == len(found)
    cells = [cell for panel in found for cell in covered(panel["gridPos"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def covered(place: dict[str, int]) -> list[tuple[int, int]]:
    """The cells of Grafana's grid that a panel takes."""
    columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return [(x, y) for x in columns for y in rows]


def test_data_source_and_namespace_are_chosen_in_the_dashboard() -> None:
    source, namespace = dashboard()["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert (namespace["name"], namespace["datasource"]) == ("namespace", DATA_SOURCE)
