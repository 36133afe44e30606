"""PostgreSQL is gone where the journal is best-effort: calls go on, and what waits is written when it is back."""

from __future__ import annotations

from tests.pods.cluster import GATEWAY, Cluster, wait_for
from tests.pods.pod import Pod

ROWS = "SELECT count(*) FROM rows WHERE kind = 'call' AND target = 'tally' AND outcome = 'OK'"


def waiting(cluster: Cluster, pod: Pod) -> int:
    """Bytes of records that are not written yet."""
    return int(cluster.status(pod)["journal"]["queued_bytes"])


def test_calls_go_on_and_are_on_record_afterwards(cluster: Cluster) -> None:
    cluster.install(cluster.shared)
    wait_for(lambda: not any(waiting(cluster, pod) for pod in cluster.gateways), "all is written")
    before = cluster.count(ROWS)
    with cluster.without_postgresql():
        # One more gateway starts while there is none.
        cluster.node.lose(cluster.gateways[0])
        cluster.node.settle(GATEWAY)
        for pod in cluster.gateways:
            assert cluster.reason(pod, "tally", {"entry": "unwritten"}) == ""
            wait_for(lambda pod=pod: "the journal cannot be written" in cluster.notes(pod), "doctor tells")
            assert waiting(cluster, pod) and cluster.status(pod)["journal"]["failing"]
            assert pod.asked("readinessProbe")
    for pod in cluster.gateways:
        wait_for(lambda pod=pod: not waiting(cluster, pod), "what waited is written")
        assert cluster.status(pod)["journal"]["lost"] == 0
        cluster.healthy(pod)
    assert cluster.count(ROWS) == before + 2
