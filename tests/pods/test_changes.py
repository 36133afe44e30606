"""What changes in ConfigMaps is in force without a restart, and nothing that is wrong ever is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.pods.cluster import Cluster, wait_for
from tests.pods.values import merged

TESTS = "firebreak/main/grants_test.rego"
GRANTS = "data/grants.yaml"


@pytest.fixture(autouse=True)
def _unchanged(cluster: Cluster) -> Iterator[None]:
    with cluster.unchanged():
        yield


def policy(cluster: Cluster, file: str, text: str) -> dict[str, Any]:
    return merged(cluster.shared, {"policies": {file: text}})


def test_a_grant_that_is_taken_away(cluster: Cluster) -> None:
    grants = yaml.safe_load(cluster.policies[GRANTS])
    del grants["grants"]["tally"]
    cluster.upgrade(policy(cluster, GRANTS, yaml.safe_dump(grants)))
    for pod in cluster.gateways:
        wait_for(lambda pod=pod: cluster.reason(pod, "tally", {"entry": "denied"}) == "POLICY_DENIED", "it is denied")
        assert cluster.reason(pod, "calculator", {"expression": "1 + 1"}) == ""


def test_a_policy_whose_tests_fail_never_replaces_the_one_in_force(cluster: Cluster) -> None:
    before = {pod: cluster.revisions(pod) for pod in cluster.gateways}
    wrong = cluster.policies[TESTS] + "\ntest_that_fails if 1 == 2\n"
    cluster.upgrade(policy(cluster, TESTS, wrong))
    for pod in cluster.gateways:
        wait_for(lambda pod=pod: "the policy on disk is not in force" in cluster.notes(pod), "doctor tells")
        said = cluster.status(pod)["gateway"]["policy"]
        assert TESTS in said["error"] and "test_that_fails" in said["error"]
        assert cluster.revisions(pod) == before[pod]
        assert cluster.reason(pod, "tally", {"entry": "allowed"}) == ""
        assert not cluster.well(pod)


def test_limits_of_a_service(cluster: Cluster) -> None:
    args = {"expression": "1" + " + 1" * 40}
    small = {"services": {"calculator": {"limits": {"request_bytes": "100B"}}}}
    assert all(cluster.reason(pod, "calculator", args) == "" for pod in cluster.gateways)
    cluster.upgrade(merged(cluster.shared, small))
    for pod in cluster.gateways:
        wait_for(lambda pod=pod: cluster.reason(pod, "calculator", args) == "REQUEST_TOO_LARGE", "the limit holds")
        assert cluster.reason(pod, "calculator", {"expression": "1 + 1"}) == ""


def test_limits_that_make_no_sense_change_nothing(cluster: Cluster) -> None:
    wrong = {"services": {"calculator": {"limits": {"request_bytes": "much"}}}}
    cluster.upgrade(merged(cluster.shared, wrong))
    for pod in cluster.gateways:
        wait_for(lambda pod=pod: "the configuration on disk is not in force" in cluster.notes(pod), "doctor tells")
        assert "request_bytes" in cluster.status(pod)["configuration"]["error"]
        assert cluster.reason(pod, "calculator", {"expression": "1 + 1"}) == ""
