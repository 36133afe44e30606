"""The charts' own files at work: two gateways, tools, and an agent that calls one of them."""

from __future__ import annotations

import json

import pytest
from firebreak.client import CallFailed, Client, Connection

from tests.charts.helpers import NAMESPACE
from tests.pods.cluster import SERVICES, Cluster, wait_for

BY_AGENT = (
    "SELECT count(*) FROM rows WHERE kind = 'call' AND outcome = 'OK' AND target = 'tally'"
    " AND principal = 'service:walker' AND origin = 'user:developer'"
)


@pytest.fixture(autouse=True)
def _installed(cluster: Cluster) -> None:
    cluster.install(cluster.shared)


def test_a_client_with_a_token_of_the_users_issuer_is_answered(cluster: Cluster) -> None:
    with cluster.caller() as caller:
        assert caller.call("calculator", {"expression": "6 * 7"}) == "42"


def test_an_agent_calls_a_tool_as_its_own_service_account(cluster: Cluster) -> None:
    with cluster.caller() as caller:
        said = caller.client.invoke("walker", json.dumps([{"entry": "agent-1"}, {"entry": "agent-2"}]), timeout=10)
    wait_for(lambda: len(cluster.booked("agent-")) >= 2, "what the tool printed is in its pod's log")
    assert json.loads(said) == cluster.booked("agent-") == ["agent-1", "agent-2"]
    wait_for(lambda: cluster.count(BY_AGENT) >= 2, "the agent's calls are on record")


def test_every_gateway_says_that_all_is_well(cluster: Cluster) -> None:
    assert len(cluster.gateways) == 2
    for pod in cluster.gateways:
        report = cluster.status(pod)
        assert [(row["name"], row["state"]) for row in report["services"]] == [(name, "ready") for name in SERVICES]
        assert report["journal"]["failing"] == report["quotas"]["degraded"] == ""
        assert (report["journal"]["store"], report["quotas"]["backend"]) == ("postgresql", "redis")
        assert cluster.well(pod)


@pytest.mark.parametrize("account", ["system:serviceaccount:other:walker", f"{NAMESPACE}:walker", "walker"])
def test_an_account_of_another_namespace_is_nobody(cluster: Cluster, account: str) -> None:
    file = cluster.node.folder / "stranger.token"
    file.write_text(cluster.accounts.token(account, "firebreak", 60))
    with (
        Client(Connection(cluster.gateways[0].at(7500), token_file=file)) as client,
        pytest.raises(CallFailed) as failure,
    ):
        client.call("tally", {"entry": "stranger"}, timeout=10)
    assert failure.value.reason == "CREDENTIALS_INVALID"
    with cluster.caller() as caller:
        assert caller.call("tally", {"entry": f"known-{account}"}) == f"known-{account}"
    wait_for(lambda: cluster.booked(f"known-{account}"), "what the tool printed is in its pod's log")
    assert cluster.booked("stranger") == []
