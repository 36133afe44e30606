"""Two gateways as processes over one Redis: they start without it, then share one rate, and tell how it is."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.contract.gateway_process import Gateway, reason, wait_for
from tests.contract.quotas.redis_server import RedisServer, redis

SETTINGS = """
quotas: {{redis: "redis://127.0.0.1:{port}/0", timeout: 250ms, when_gone: {when_gone}}}
admission: {{principal_rate: {{per_second: 0.01, burst: 3}}}}
"""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis() as running:
        yield running


@pytest.fixture
def gateways(server: RedisServer) -> Iterator[list[Gateway]]:
    """Two that begin while Redis is gone."""
    server.kill()
    folders = [Path(tempfile.mkdtemp(prefix="fb-")) for _ in range(2)]
    made = [Gateway(folder) for folder in folders]
    try:
        for each, when_gone in zip(made, ("local", "refuse"), strict=True):
            with (each.folder / "firebreak.yaml").open("a") as file:
                file.write(SETTINGS.format(port=server.port, when_gone=when_gone))
            each.start()
        yield made
    finally:
        for each in made:
            each.stop()
            shutil.rmtree(each.folder)


def quotas(gateway: Gateway) -> dict[str, str]:
    found: dict[str, str] = json.loads(gateway.get("/status")[1])["quotas"]
    return found


def answered(answer: Any) -> bool:
    return not isinstance(answer, grpc.RpcError)


def test_two_gateways(server: RedisServer, gateways: list[Gateway]) -> None:
    local, refuse = gateways
    for each in gateways:
        wait_for(lambda each=each: quotas(each)["degraded"], "it is told that Redis is gone")
        assert "firebreak_quotas_degraded 1.0" in each.get("/metrics")[1]
    assert answered(local.say("a"))
    assert reason(refuse.say("a")) == "OVERLOADED"
    server.start()
    for each in gateways:
        wait_for(lambda each=each: not quotas(each)["degraded"], "it is told that Redis is back")
    # Of each gateway's own three tokens one is spent already; of the three that they share none.
    answers = [local.say("b"), local.say("c"), refuse.say("d"), refuse.say("e")]
    assert [answered(each) for each in answers] == [True, True, True, False]
    assert reason(answers[-1]) == "RATE_LIMITED"
