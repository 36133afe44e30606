"""The chart's alerts and dashboard, as they are rendered."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.charts.helpers import NAMESPACE, Object, ci_values, one, render


def rendered(**monitoring: Any) -> list[Object]:
    """The chart's objects with these values of `monitoring`."""
    return render("gateway", ci_values("gateway", "minimal"), {"monitoring": monitoring})


def alerts(**monitoring: Any) -> list[dict[str, Any]]:
    """The rules of the one group."""
    (group,) = one(rendered(alerts=True, **monitoring), "PrometheusRule")["spec"]["groups"]
    return list(group["rules"])


def dashboard() -> dict[str, Any]:
    found = one(rendered(dashboard=True), "ConfigMap", "firebreak-gateway-dashboard")
    shown: dict[str, Any] = json.loads(found["data"]["firebreak.json"])
    return shown


def panels() -> list[dict[str, Any]]:
    """Those that show something: all but the rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def asked() -> dict[str, str]:
    """Each panel's expressions by "ID REF", as Grafana would ask them about the namespace of the tests."""
    return {
        f"{panel['id']} {target['refId']}": target["expr"]
        .replace("$namespace", NAMESPACE)
        .replace("$__rate_interval", "1m")
        for panel in panels()
        for target in panel["targets"]
    }


def expressions() -> list[str]:
    """What alerts and dashboard ask Prometheus."""
    return [*(alert["expr"] for alert in alerts()), *asked().values()]


def selectors(expression: str) -> list[tuple[str, str]]:
    """Each metric of an expression, with what is in its braces."""
    return re.findall(r"(\w+)\{([^}]*)\}", expression)


def matchers(braces: str) -> list[tuple[str, str, str]]:
    """Label, operator and value of each matcher."""
    return re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', braces)
