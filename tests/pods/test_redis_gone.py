"""Two gateways share a service's rate while Redis is there; while it is gone each holds to it by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pods.cluster import Cluster, wait_for
from tests.pods.pod import Pod
from tests.pods.values import merged


@pytest.fixture(autouse=True)
def _back(cluster: Cluster) -> Iterator[None]:
    with cluster.unchanged():
        yield
        with cluster.without_redis():
            """Nothing: what was counted here is not for the tests that follow."""


def limit(cluster: Cluster, burst: int) -> None:
    """From now on so many calls of tally may be made, and then none for a long time."""
    rate = {"services": {"tally": {"limits": {"rate": {"per_second": 0.0001, "burst": burst}}}}}
    before = {pod: cluster.revisions(pod) for pod in cluster.gateways}
    cluster.upgrade(merged(cluster.shared, rate))
    for pod, revision in before.items():
        wait_for(lambda pod=pod, old=revision: cluster.revisions(pod) != old, "it is read")
        wait_for(lambda pod=pod: cluster.settled(pod), "the limit is in force")


def answered(cluster: Cluster, pod: Pod, tries: int) -> int:
    """How many of so many calls are answered; all others are beyond the rate."""
    reasons = [cluster.reason(pod, "tally", {"entry": "rated"}) for _ in range(tries)]
    assert set(reasons) <= {"", "RATE_LIMITED"}
    return reasons.count("")


def test_a_rate_is_shared_then_held_by_each_then_shared_again(cluster: Cluster) -> None:
    one, other = cluster.gateways
    limit(cluster, 4)
    assert (answered(cluster, one, 3), answered(cluster, other, 3)) == (3, 1)
    with cluster.without_redis():
        for pod in (one, other):
            wait_for(lambda pod=pod: "quotas are not shared" in cluster.notes(pod), "doctor tells")
            assert cluster.status(pod)["quotas"]["degraded"]
            assert pod.asked("readinessProbe")
        limit(cluster, 5)
        assert (answered(cluster, one, 7), answered(cluster, other, 7)) == (5, 5)
    for pod in (one, other):
        wait_for(lambda pod=pod: not cluster.status(pod)["quotas"]["degraded"], "it is shared again")
    limit(cluster, 6)
    assert (answered(cluster, one, 2), answered(cluster, other, 6)) == (2, 4)
