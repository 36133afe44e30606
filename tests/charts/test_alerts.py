"""Each alert fires in the situation that it is for and is silent just below it, evaluated by Prometheus's own engine.

alerts/NAME.yaml holds an alert's situations as `promtool test rules` takes them. They are tried on the alert as it is, where
they must hold, and on copies with another `for` or another limit, where they must not: so each is tried on both sides.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.charts.helpers import NAMESPACE
from tests.charts.monitoring import alerts, asked, expressions, matchers, selectors
from tests.charts.promtool import failed, promtool, write_rules

Rule = Mapping[str, Any]

SITUATIONS = Path(__file__).parent / "alerts"
STEP = 30
"""Seconds between two evaluations in the situations."""

SECONDS = {"s": 1, "m": 60, "h": 3600}


def put(folder: Path, rule: Rule) -> Path:
    """The situations of an alert beside the rule that they are tried on."""
    folder.mkdir(parents=True)
    write_rules(folder / "rules.yaml", [rule])
    return Path(shutil.copy(SITUATIONS / f"{rule['alert']}.yaml", folder))


def other_waits(rule: Rule) -> Iterator[Rule]:
    """The rule with a `for` that is one evaluation shorter or longer."""
    number, unit = re.fullmatch(r"(\d+)([smh])", rule.get("for", "0s")).groups()  # type: ignore[union-attr]
    seconds = int(number) * SECONDS[unit]
    yield from ({**rule, "for": f"{other}s"} for other in (seconds - STEP, seconds + STEP) if other >= 0)


def other_limits(rule: Rule) -> Iterator[Rule]:
    """The rule with each number that it compares with, or multiplies by, a bit less and a bit more."""
    for found in re.finditer(r"(?<=[<>=] )[\d.]+|[\d.]+(?= \*)", rule["expr"]):
        limit = float(found[0])
        step = 1 if limit in (0, 1) else limit / 10
        for other in (limit - step, limit + step):
            yield {**rule, "expr": f"{rule['expr'][: found.start()]}{other:g}{rule['expr'][found.end() :]}"}


def named(rules: Iterator[Rule]) -> dict[str, Rule]:
    return {f"{rule['alert']}-{number}": rule for number, rule in enumerate(rules)}


def test_prometheus_takes_alerts_and_panels(tmp_path: Path) -> None:
    panels = [{"record": f"panel:{name.replace(' ', ':')}", "expr": expr} for name, expr in asked().items()]
    assert panels
    write_rules(tmp_path / "rules.yaml", [*alerts(), *panels])
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stderr
    assert f"{len(alerts()) + len(panels)} rules found" in done.stdout


def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    files = [put(tmp_path / rule["alert"], rule) for rule in alerts()]
    assert sorted(file.name for file in files) == sorted(file.name for file in SITUATIONS.iterdir())
    assert failed(files) == {}


@pytest.mark.parametrize("others", [other_waits, other_limits])
def test_the_situations_tell_another_limit(tmp_path: Path, others: Any) -> None:
    made = named(other for rule in alerts() for other in others(rule))
    assert {rule["alert"] for rule in made.values()} == {rule["alert"] for rule in alerts()}
    files = {name: put(tmp_path / name, rule) for name, rule in made.items()}
    found = failed(list(files.values()))
    assert {name: (made[name].get("for"), made[name]["expr"]) for name in files if files[name] not in found} == {}


def test_what_an_alert_says_has_the_labels_that_it_speaks_of() -> None:
    for alert in alerts():
        spoken = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
        kept = {label for by in re.findall(r"by \(([^)]*)\)", alert["expr"]) for label in by.split(", ")}
        assert spoken <= kept, alert["alert"]


def test_alerts_and_dashboard_are_about_one_namespace() -> None:
    for expression in expressions():
        assert selectors(expression)
        for metric, braces in selectors(expression):
            assert ("namespace", "=", NAMESPACE) in matchers(braces), (metric, expression)
