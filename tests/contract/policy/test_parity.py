"""Both engines give the same answer, to the letter, whatever the grants and the call."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.adapters.policy.bundle import ENTRY_POINT, read_bundle
from gateway.adapters.policy.interpreter import Interpreter
from gateway.adapters.policy.sources import sources
from tests.contract.policy.opa_server import OpaServer
from tests.property import policies
from tests.unit.gateway.adapters.policy.folders import SHIPPED

MODULES = read_bundle(SHIPPED).modules


def send(server: OpaServer, method: str, path: str, body: bytes) -> Any:
    request = urllib.request.Request(f"{server.url}/v1/{path}", body, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


@pytest.fixture(scope="module")
def own_server() -> Iterator[OpaServer]:
    """An OPA for these modules, which stay in it: every policy that one holds makes loading another slower."""
    with OpaServer() as server:
        yield server


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(policies.data, policies.calls())
def test_the_same_decision(own_server: OpaServer, data: dict[str, Any], document: dict[str, Any]):
    for source in sources(MODULES, "parity"):
        send(own_server, "PUT", f"policies/parity/{source.package}", source.text.encode())
    send(own_server, "PUT", "data/parity", json.dumps(data).encode())
    by_opa = send(
        own_server,
        "POST",
        "data/parity/firebreak/main/decision?strict-builtin-errors=true",
        json.dumps({"input": document}).encode(),
    )
    interpreter = Interpreter()
    asyncio.run(interpreter.load(MODULES, data))
    assert interpreter.evaluate(ENTRY_POINT, document) == by_opa["result"]
