"""The number of gateways follows the calls in flight: the real autoscaler reads them from a real Prometheus, by its adapter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster import monitoring
from tests.cluster.installed import NAMESPACE, Installed, Load, client
from tests.cluster.lab import Lab, until

CROWD = """
import sys, threading
from pathlib import Path
from firebreak.client import CallFailed, Client, Connection

def call_on():
    answered = False
    with Client(Connection(sys.argv[1], Path("/var/run/secrets/firebreak/token"))) as firebreak:
        while True:
            try:
                firebreak.call("python", {"code": "import time; time.sleep(3)"}, timeout=20)
                answered = True
            except CallFailed as failure:
                if answered:  # before that the node may not let the new pod through
                    print(failure, flush=True)

for _ in range(12):
    threading.Thread(target=call_on).start()
"""
"""Twelve calls at any time, four of which run and eight wait."""
LEAST, MOST = 2, 4


@dataclass(frozen=True)
class Switched:
    """`at_once`: how many gateways there were to be right after the upgrade that switched autoscaling on."""

    installed: Installed
    at_once: int


@pytest.fixture(scope="module")
def switched(lab: Lab, installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switched]:
    """With Prometheus and the adapter beside it, and the gateway's chart told to follow them."""
    if not lab.enter:
        pytest.skip("a cluster of yours has its own adapter for custom metrics, which is not this test's to replace")
    lab.build(tmp_path_factory.mktemp("images"), "prometheus", "prometheus-adapter")
    try:
        monitoring.install(lab, NAMESPACE)
        installed.upgrade_gateway(
            autoscaling={"enabled": True, "min": LEAST, "max": MOST, "inFlight": 2}, scrapers=monitoring.SCRAPERS
        )
        at_once = replicas(installed)
        installed.rolled_out("firebreak-gateway")
        yield Switched(installed, at_once)
    finally:
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


def test_switching_it_on_takes_no_gateway_away(switched: Switched) -> None:
    assert switched.at_once == LEAST


def test_the_autoscaler_reads_the_calls_in_flight(switched: Switched) -> None:
    installed = switched.installed
    until("it has the metric", lambda: autoscaler(installed).get("ScalingActive=True") == "ValidMetricFound", 120)


def test_more_calls_in_flight_mean_more_gateways(switched: Switched, load: Load) -> None:
    installed, lab = switched.installed, switched.installed.lab
    load.mark()
    lab.apply(*client(lab, {"firebreak.dev/client": "true"}, "crowd", "-c", CROWD, "firebreak-gateway:7500"))
    try:
        took = until("there are as many as there may be", lambda: len(installed.pods("firebreak-gateway")) == MOST, 180)
        print(f"{MOST} gateways after {took:.0f} s")
        installed.rolled_out("firebreak-gateway")
        assert lab.kubectl("logs", "crowd", "-n", NAMESPACE) == ""
    finally:
        lab.kubectl("delete", "pod", "crowd", "-n", NAMESPACE, "--force", "--grace-period=0")
    seen = load.since()
    assert seen["failed"] == {}, seen
    assert "ScalingLimited=True" in autoscaler(installed)
