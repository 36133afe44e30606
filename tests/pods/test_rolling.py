"""Rolling updates under a steady load: every call is answered, and each is carried out once."""

from __future__ import annotations

import pytest

from tests.pods.clients import Load
from tests.pods.cluster import Cluster, wait_for
from tests.pods.values import merged

ROWS = "SELECT count(*) FROM rows WHERE kind = 'call' AND outcome = 'OK' AND target = 'tally'"


@pytest.fixture(autouse=True)
def _installed(cluster: Cluster) -> None:
    cluster.install(cluster.shared)


def every_call_once(cluster: Cluster, load: Load) -> None:
    assert load.failed == []
    assert len(load.answered) > 50
    # A line that a tool wrote arrives in its pod's log a moment later than its answer.
    wait_for(lambda: len(cluster.booked(f"{load.name}-")) >= len(load.answered), "every call is booked")
    assert sorted(cluster.booked(f"{load.name}-")) == sorted(load.answered)


def test_of_a_service_twice_in_a_row(cluster: Cluster) -> None:
    before = cluster.node.pods("tally")
    with Load("service", cluster.balanced) as load:
        for concurrency in (7, 8):
            cluster.upgrade_service("tally", {"service": {"limits": {"concurrency": concurrency}}})
    assert not {*before} & {*cluster.node.pods("tally")}
    every_call_once(cluster, load)


def test_of_the_gateway(cluster: Cluster) -> None:
    before, rows = cluster.gateways, cluster.count(ROWS)
    with Load("gateway", cluster.balanced) as load:
        cluster.upgrade(merged(cluster.shared, {"admission": {"inFlight": 256}}))
    assert not {*before} & {*cluster.gateways} and len(cluster.gateways) == 2
    assert not any(pod.alive for pod in before)
    every_call_once(cluster, load)
    # Both callers had a connection to a gateway that went.
    assert load.drained >= 2
    wait_for(lambda: cluster.count(ROWS) - rows >= len(load.answered), "those of gateways that went are on record too")
