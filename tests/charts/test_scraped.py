"""Alerts and dashboard ask for what a real gateway has, and every panel then shows something."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client import Metric

from gateway.core.circuit import BreakerState
from gateway.errors import Reason
from tests.charts.helpers import NAMESPACE
from tests.charts.monitoring import asked, expressions, matchers, selectors
from tests.charts.promtool import failed
from tests.charts.scraped import scrape

OF_PROMETHEUS = {"namespace", "pod", "job", "le"}
"""Labels that are not the gateway's: those of where a metric was read, and of a histogram's buckets."""

Known = Mapping[str, Mapping[str, set[str]]]
"""The values of each label of each metric."""


@pytest.fixture(scope="module")
def scraped() -> list[Metric]:
    return scrape()


@pytest.fixture(scope="module")
def known(scraped: list[Metric]) -> Known:
    found: dict[str, dict[str, set[str]]] = {}
    for family in scraped:
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def unknown(expression: str, known: Known) -> set[str]:
    """The metrics and labels that an expression asks for and that are not there."""
    found, labels = set(), set(OF_PROMETHEUS)
    for name, braces in selectors(expression):
        own = known.get(name, {}).keys()
        labels |= own
        found |= set() if name in known or name == "up" else {name}
        found |= {label for label, _, _ in matchers(braces)} - own - OF_PROMETHEUS
    grouped = {label for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(", ")}
    return found | (grouped - labels) | (set(re.findall(r"firebreak_\w+", expression)) - known.keys())


def unknown_values(expression: str, known: Known) -> set[tuple[str, str]]:
    """The labels with values that an expression compares with and that no gateway has."""
    may = {"reason": {reason.value for reason in Reason}, "state": {state.value for state in BreakerState}}
    return {
        (label, value)
        for name, braces in selectors(expression)
        for label, _, values in matchers(braces)
        if label not in OF_PROMETHEUS
        for value in values.split("|")
        if value not in known.get(name, {}).get(label, set()) | may.get(label, set())
    }


def test_only_metrics_and_labels_that_exist_are_asked_for(known: Known) -> None:
    assert expressions()
    assert {expression: unknown(expression, known) for expression in expressions() if unknown(expression, known)} == {}


def test_only_values_that_exist_are_asked_for(known: Known) -> None:
    assert {found for expression in expressions() for found in unknown_values(expression, known)} == set()


def test_what_does_not_exist_is_found() -> None:
    known = {"firebreak_calls_total": {"code": {"OK"}}}
    assert unknown('rate(firebreak_gone_total{code="OK"}[5m])', known) == {"firebreak_gone_total", "code"}
    assert unknown('sum by (colour) (firebreak_calls_total{kind="x"})', known) == {"colour", "kind"}
    assert unknown_values('firebreak_calls_total{code=~"OK|FINE",reason="NONE"}', known) == {
        ("code", "FINE"),
        ("reason", "NONE"),
    }


def series(scraped: list[Metric]) -> Iterator[dict[str, str]]:
    """What was scraped as series of a test of rules: counters that rise by what they are, and gauges that stay so."""
    for family in scraped:
        steady = family.type == "gauge"
        for sample in family.samples:
            labels = {**sample.labels, "namespace": NAMESPACE, "pod": "a"}
            inside = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
            values = f"{sample.value!r}+0x20" if steady else f"0+{sample.value!r}x20"
            yield {"series": f"{sample.name}{{{inside}}}", "values": values}


def showing(file: Path, scraped: list[Metric], asked: Mapping[str, str]) -> dict[Path, str]:
    """Whether each of the expressions gives a number, and which ones do not."""
    checks = [
        # What is not a number, such as a quantile of nothing, is not equal to itself.
        {
            "expr": f"count(({expr}) == ({expr})) > bool 0",
            "eval_time": "5m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for expr in asked.values()
    ]
    test = {"interval": "15s", "input_series": list(series(scraped)), "promql_expr_test": checks}
    file.write_text(json.dumps({"tests": [test]}))
    return failed([file])


def test_every_panel_shows_something(tmp_path: Path, scraped: list[Metric]) -> None:
    assert asked()
    assert showing(tmp_path / "panels.json", scraped, asked()) == {}


def test_an_empty_panel_is_found(tmp_path: Path, scraped: list[Metric]) -> None:
    for nothing in ("rate(firebreak_calls_total{reason='GONE'}[1m])", "histogram_quantile(0.5, vector(0))"):
        (said,) = showing(tmp_path / "panels.json", scraped, {"A": nothing}).values()
        assert "got: nil" in said
