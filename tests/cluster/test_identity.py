"""Who a pod is: the API server's tokens, verified by the gateway's own code with the keys that the API server publishes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.adapters.identity.issuers import Issuers
from gateway.adapters.identity.sources import source
from gateway.config import Issuer
from gateway.errors import CallError, Reason
from tests.cluster.lab import Lab

HOME, ELSEWHERE = "firebreak-identity", "firebreak-elsewhere"


@pytest.fixture(scope="module", autouse=True)
def namespaces(lab: Lab) -> Iterator[None]:
    for name in (HOME, ELSEWHERE):
        lab.make_namespace(name)
        lab.kubectl("create", "serviceaccount", "calculator", "-n", name)
    yield
    lab.kubectl("delete", "namespace", HOME, ELSEWHERE, "--wait=false")


@pytest.fixture
async def issuers(lab: Lab, tmp_path: Path) -> Issuers:
    """As the chart configures it for a release in the namespace HOME."""
    (tmp_path / "jwks.json").write_text(lab.keys())
    issuer = Issuer(
        name="services",
        issuer=lab.issuer(),
        audience="firebreak",
        jwks=str(tmp_path / "jwks.json"),
        prefix="service:",
        subject_prefix=f"system:serviceaccount:{HOME}:",
    )
    keys = source(issuer, None, time.monotonic)
    await keys.refresh()
    return Issuers([(issuer, keys)], {"service:calculator": "calculator"}, time.time)


def token(lab: Lab, namespace: str, audience: str) -> str:
    return lab.kubectl("create", "token", "calculator", "-n", namespace, f"--audience={audience}").strip()


async def test_a_service_account_is_the_service_of_its_name(lab: Lab, issuers: Issuers) -> None:
    found = await issuers.principal(token(lab, HOME, "firebreak"))
    assert (found.id, found.service) == ("service:calculator", "calculator")


async def test_nobody_else_counts(lab: Lab, issuers: Issuers) -> None:
    """An account of the same name in another namespace, and a token that is meant for the API server."""
    for other in (token(lab, ELSEWHERE, "firebreak"), token(lab, HOME, lab.issuer())):
        with pytest.raises(CallError) as refused:
            await issuers.principal(other)
        assert refused.value.reason == Reason.CREDENTIALS_INVALID
