"""What Prometheus would read from a gateway that runs, with a tool and a model behind it, once something has happened to it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import grpc
from firebreak.v1 import model_pb2, model_pb2_grpc, payload_pb2
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.gateway_process import Gateway, reason, wait_for

SETTINGS = """
  - path: services/model
    address: unix:model.sock
    identity: service:model
admission: {principal_rate: {per_second: 0.01, burst: 20}}
"""
MODEL = {"name": "model", "kind": "model", "version": "1.0.0", "entrypoint": "model_service:main"}


def scrape() -> list[Metric]:
    """A real gateway's metrics after calls of both kinds, one that policy denied and one above its caller's rate."""
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    gateway = Gateway(folder)
    try:
        _start(gateway)
        _use(gateway)
        wait_for(lambda: "journal_commit_seconds_count" in gateway.get("/metrics")[1], "the journal is written")
        status, text = gateway.get("/metrics")
        assert status == 200
        return list(text_string_to_metric_families(text))
    finally:
        gateway.stop()
        shutil.rmtree(folder)


def _start(gateway: Gateway) -> None:
    with (gateway.folder / "firebreak.yaml").open("a") as file:
        file.write(SETTINGS)
    service = gateway.folder / "services" / "model"
    service.mkdir()
    (service / "service.yaml").write_text(json.dumps(MODEL))
    gateway.run(str(Path(__file__).with_name("model_service.py")), "unix:model.sock")
    gateway.start()
    wait_for(lambda: '"starting"' not in gateway.get("/status")[1], "the model is ready")


def _use(gateway: Gateway) -> None:
    assert gateway.say("hello") == "hello"
    assert reason(gateway.say("forbidden")) == "POLICY_DENIED"
    question = payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(text="Really?")])
    prompt = model_pb2.Prompt(target="model", messages=[question])
    with gateway.channel() as channel:
        stub = model_pb2_grpc.ModelServiceStub(channel)
        stub.Generate(model_pb2.ModelServiceGenerateRequest(prompt=prompt), metadata=gateway.bearer(), timeout=10)
    answers = [gateway.say("again") for _ in range(20)]
    assert isinstance(answers[-1], grpc.RpcError) and reason(answers[-1]) == "RATE_LIMITED"
