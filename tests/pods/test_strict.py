"""A gateway with OPA beside it, which refuses what it cannot bound or record, says why, and goes on by itself."""

from __future__ import annotations

import pytest

from tests.pods.cluster import Cluster, wait_for
from tests.pods.pod import Pod
from tests.pods.values import merged

STRICT = {"replicas": 1, "opa": {"enabled": True}, "redis": {"whenGone": "refuse"}, "journal": {"mode": "required"}}
CALL = ("calculator", {"expression": "6 * 7"})


@pytest.fixture
def pod(cluster: Cluster) -> Pod:
    cluster.install(merged(cluster.shared, STRICT))
    (pod,) = cluster.gateways
    assert cluster.reason(pod, *CALL) == ""
    return pod


def told(cluster: Cluster, pod: Pod, note: str) -> None:
    wait_for(lambda: note in cluster.notes(pod), f"doctor tells: {note}")
    assert not cluster.well(pod)


def goes_on(cluster: Cluster, pod: Pod) -> None:
    """By itself."""
    wait_for(lambda: cluster.reason(pod, *CALL) == "", "calls are answered again")
    cluster.healthy(pod)


def test_without_opa_everything_is_denied(cluster: Cluster, pod: Pod) -> None:
    assert cluster.status(pod)["gateway"]["policy"]["engine"] == "opa"
    opa = pod.container("opa")
    opa.kill()
    assert cluster.reason(pod, *CALL) == "POLICY_UNAVAILABLE"
    told(cluster, pod, "policy cannot be asked, every call is denied")
    assert cluster.status(pod)["gateway"]["policy"]["failing"]
    assert cluster.reason(pod, *CALL) == "POLICY_UNAVAILABLE"
    assert not pod.asked("readinessProbe")
    opa.start()
    goes_on(cluster, pod)


def test_without_redis_calls_are_refused(cluster: Cluster, pod: Pod) -> None:
    with cluster.without_redis():
        assert cluster.reason(pod, *CALL) == "OVERLOADED"
        told(cluster, pod, "quotas are not shared with other gateways now")
        assert cluster.reason(pod, *CALL) == "OVERLOADED"
        assert pod.asked("readinessProbe")
    goes_on(cluster, pod)


def test_without_postgresql_calls_are_refused(cluster: Cluster, pod: Pod) -> None:
    with cluster.without_postgresql():
        # The gateway may learn of it by the first call, whose answer then is withheld.
        assert cluster.reason(pod, *CALL) in ("JOURNAL_UNAVAILABLE", "ANSWER_WITHHELD")
        told(cluster, pod, "the journal cannot be written")
        assert cluster.reason(pod, *CALL) == "JOURNAL_UNAVAILABLE"
        assert not pod.asked("readinessProbe")
    goes_on(cluster, pod)
    assert pod.asked("readinessProbe")
