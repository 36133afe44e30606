"""The number of gateways follows the calls in flight: the real autoscaler reads them from a real Prometheus, by its adapter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import monitoring
from tests.cluster.installed import NAMESPACE, Installed, Load, client
from tests.cluster.lab import Lab, until

CROWD = """
import sys, threading
from pathlib import Path
from firebreak.client import CallFailed, Client, Connection

def call_on():
    with Client(Connection(sys.argv[1], Path("/var/run/secrets/firebreak/token"))) as firebreak:
        while True:
            try:
                firebreak.call("python", {"code": "import time; time.sleep(3)"}, timeout=20)
            except CallFailed as failure:
                print(failure, flush=True)

for _ in range(12):
    threading.Thread(target=call_on).start()
"""
"""Twelve calls at any time, four of which run and eight wait."""
LEAST, MOST = 2, 4


@pytest.fixture(scope="module")
def measured(lab: Lab, installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """With Prometheus and the adapter beside it, and the gateway's chart told to follow them."""
    if not lab.enter:
        pytest.skip("a cluster of yours has its own adapter for custom metrics, which is not this test's to replace")
    lab.build(tmp_path_factory.mktemp("images"), "prometheus", "prometheus-adapter")
    monitoring.install(lab, NAMESPACE)
    installed.upgrade_gateway(
        autoscaling={"enabled": True, "min": LEAST, "max": MOST, "inFlight": 2}, scrapers=monitoring.SCRAPERS
    )
    installed.rolled_out("firebreak-gateway")
    yield installed
    installed.changed.clear()
    installed.upgrade_gateway()
    monitoring.uninstall(lab)


def autoscaler(installed: Installed) -> dict[str, str]:
    """What the autoscaler says of itself: the reason of each condition, by its type and status."""
    found = installed.lab.get("hpa", "firebreak-gateway", "-n", NAMESPACE)
    conditions = found["status"].get("conditions", [])
    return {f"{each['type']}={each['status']}": each["reason"] for each in conditions}


def replicas(installed: Installed) -> int:
    return int(installed.lab.get("deployment", "firebreak-gateway", "-n", NAMESPACE)["spec"]["replicas"])


def test_the_autoscaler_reads_the_calls_in_flight(measured: Installed) -> None:
    until("it has the metric", lambda: autoscaler(measured).get("ScalingActive=True") == "ValidMetricFound", 120)
    assert replicas(measured) == LEAST


def test_more_calls_in_flight_mean_more_gateways(measured: Installed, load: Load) -> None:
    load.mark()
    measured.lab.apply(
        *client(measured.lab, {"firebreak.dev/client": "true"}, "crowd", "-c", CROWD, "firebreak-gateway:7500")
    )
    try:
        took = until("there are as many as there may be", lambda: len(measured.pods("firebreak-gateway")) == MOST, 180)
        print(f"{MOST} gateways after {took:.0f} s")
        measured.rolled_out("firebreak-gateway")
        said = measured.lab.kubectl("logs", "crowd", "-n", NAMESPACE)
        assert said == ""
    finally:
        measured.lab.kubectl("delete", "pod", "crowd", "-n", NAMESPACE, "--force", "--grace-period=0")
    seen = load.since()
    assert seen["failed"] == {}, seen
    assert "ScalingLimited=True" in autoscaler(measured)
