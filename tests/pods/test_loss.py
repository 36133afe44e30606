"""A gateway that is lost takes its own calls with it, and nothing else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from tests.pods.cluster import GATEWAY, Cluster, wait_for
from tests.pods.pod import Pod


def through(cluster: Cluster) -> tuple[Pod, Pod]:
    """The gateway to which the agent has its connection, and the other one."""
    before = {pod: calls(cluster, pod) for pod in cluster.gateways}
    with cluster.client(cluster.gateways[0]) as client:
        client.invoke("walker", json.dumps([{"entry": "look"}]), timeout=10)
    (its,) = [pod for pod in cluster.gateways if calls(cluster, pod) > before[pod]]
    (other,) = [pod for pod in cluster.gateways if pod is not its]
    return its, other


def calls(cluster: Cluster, pod: Pod) -> int:
    rows = {row["name"]: row["calls"] for row in cluster.status(pod)["services"]}
    return int(rows["tally"])


def test_sessions_and_calls_go_on_at_the_gateway_that_is_left(cluster: Cluster) -> None:
    cluster.install(cluster.shared)
    lost, left = through(cluster)
    steps = [{"entry": "walk-1"}, {"entry": "walk-2", "until": "go"}, {"entry": "walk-3", "tries": 50}]
    with cluster.client(left) as client, ThreadPoolExecutor(2) as pool:
        # The agent's session is of one gateway, its calls go through the other.
        walk = pool.submit(client.invoke, "walker", json.dumps(steps), timeout=20)
        own = pool.submit(client.call, "tally", {"entry": "own", "until": "go"}, timeout=20)
        wait_for(lambda: cluster.booked("walk-2") and cluster.booked("own"), "both calls are in flight")
        cluster.node.lose(lost)
        client.call("tally", {"entry": "go"}, timeout=10)
        assert own.result().text == "own"
        assert json.loads(walk.result()) == ["walk-1", "TARGET_UNAVAILABLE", "walk-3"]
    wait_for(lambda: len(cluster.booked("walk-")) >= 3, "what the tool printed is in its pods' logs")
    assert sorted(cluster.booked("walk-")) == ["walk-1", "walk-2", "walk-3"]
    with cluster.caller() as caller:
        assert caller.call("tally", {"entry": "after"}) == "after"
    cluster.node.settle(GATEWAY)
    assert len(cluster.gateways) == 2
