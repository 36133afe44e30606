"""Alerts and dashboard speak of metrics that the gateway has, and whoever is woken finds what to do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.adapters.telemetry.metrics import Metrics, Sources
from gateway.call import Attempt
from gateway.core.circuit import BreakerState
from gateway.core.usage import Used
from gateway.errors import Code, Reason
from gateway.proof import Promise, Verdict
from tests.charts.helpers import NAMESPACE, ROOT, Object, ci_values, one, render
from tests.unit.gateway.chain_fakes import call

KINDS = {"serviceMonitor": "ServiceMonitor", "alerts": "PrometheusRule", "dashboard": "ConfigMap"}
OF_PROMETHEUS = {"namespace", "pod", "job", "le"}
"""Labels that are not the gateway's: those of where a metric was read, and of a histogram's buckets."""

JOURNAL = {"written": 1, "lost": 0, "cut": 0, "queued_bytes": 0, "failing": ""}
CONFIGURATION = {"reloads": 1, "failed": 0, "error": "", "needs_restart": []}


def rendered(*asked: str) -> list[Object]:
    return render("gateway", ci_values("gateway", "minimal"), {"monitoring": dict.fromkeys(asked, True)})


def named_metrics() -> dict[str, set[str]]:
    """Every metric of the gateway, as Prometheus has it, with its labels."""
    metrics = Metrics(
        Sources(
            in_flight=lambda: 0,
            breaker_states=lambda: {"calculator": "open"},
            lines_dropped=lambda: 0,
            journal=lambda: JOURNAL,
            configuration=lambda: CONFIGURATION,
            broken=lambda: {"": 0},
            policy=lambda: {"loaded": 0.0, "error": ""},
        )
    )
    made = call()
    made.facts.target, made.facts.decision, made.facts.used = "router", "d1", Used(1, 1, estimated=True)
    made.facts.attempts = [Attempt(0.1, Code.OK)]
    metrics.ended(made, Code.OK, "", 0.1)
    metrics.committed(0.1)
    metrics.proven("", Promise("credentials:none", Verdict.HELD))
    families = text_string_to_metric_families(metrics.render().decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def alerts() -> list[dict[str, Any]]:
    (group,) = one(rendered("alerts"), "PrometheusRule")["spec"]["groups"]
    return list(group["rules"])


def dashboard() -> dict[str, Any]:
    found = one(rendered("dashboard"), "ConfigMap", "firebreak-gateway-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    shown: dict[str, Any] = json.loads(found["data"]["firebreak.json"])
    return shown


def expressions() -> list[str]:
    shown = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return [*(alert["expr"] for alert in alerts()), *shown]


def unknown(expression: str, known: dict[str, set[str]]) -> set[str]:
    """The metrics and labels that an expression asks for and that are not there."""
    found, labels = set(), set(OF_PROMETHEUS)
    for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", expression):
        own = known.get(name, set())
        labels |= own
        found |= set() if name in known or name == "up" else {name}
        found |= set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers)) - own - OF_PROMETHEUS
    grouped = {label for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(", ")}
    return found | (grouped - labels) | (set(re.findall(r"firebreak_\w+", expression)) - known.keys())


def test_only_metrics_and_labels_that_exist_are_asked_for() -> None:
    known = named_metrics()
    assert expressions()
    assert {expression: unknown(expression, known) for expression in expressions() if unknown(expression, known)} == {}


def test_a_metric_or_a_label_that_does_not_exist_is_found() -> None:
    known = {"firebreak_calls_total": {"code"}}
    assert unknown('rate(firebreak_gone_total{code="OK"}[5m])', known) == {"firebreak_gone_total", "code"}
    assert unknown('sum by (colour) (firebreak_calls_total{kind="x"})', known) == {"colour", "kind"}


def test_only_values_that_exist_are_asked_for() -> None:
    values = dict(re.findall(r'\b(reason|state)=~?"([^"]*)"', "\n".join(expressions())))
    assert set(values["reason"].split("|")) <= {reason.value for reason in Reason}
    assert values["state"] in {state.value for state in BreakerState}


def test_alerts_and_dashboard_are_about_one_namespace() -> None:
    for alert in alerts():
        selectors = re.findall(r"\w+\{([^}]*)\}", alert["expr"])
        assert selectors
        assert all(f'namespace="{NAMESPACE}"' in selector for selector in selectors), alert["alert"]


@pytest.mark.parametrize("asked", KINDS)
def test_each_part_is_there_only_when_asked_for(asked: str) -> None:
    without, having = rendered(), rendered(asked)
    names = [(item["kind"], item["metadata"]["name"]) for item in without]
    (added,) = [item for item in having if (item["kind"], item["metadata"]["name"]) not in names]
    assert added["kind"] == KINDS[asked]
    assert len(having) == len(without) + 1


def test_the_monitor_reads_the_admin_port_of_the_gateway() -> None:
    objects = rendered("serviceMonitor")
    monitor, service = one(objects, "ServiceMonitor"), one(objects, "Service", "firebreak-gateway")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]}[endpoint["port"]] == 7501


def test_every_alert_says_what_it_means_and_where_to_read_on() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    found = alerts()
    assert len({alert["alert"] for alert in found}) == len(found) > 0
    for alert in found:
        notes, name = alert["annotations"], alert["alert"]
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert notes["summary"]
        assert notes["description"]
        assert notes["runbook"] == f"docs/operations.md#{name.lower()}"
        assert name in headings, f"docs/operations.md has no section '### {name}'"


def test_each_panel_is_in_a_row_and_asks_something() -> None:
    panels = dashboard()["panels"]
    assert panels[0]["type"] == "row"
    assert all(panel["targets"] for panel in panels if panel["type"] != "row")
    assert len({panel["id"] for panel in panels}) == len(panels)
