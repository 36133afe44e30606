"""A service in a pod: its doors are TCP ports, and the walls that it builds around itself leave just these."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from firebreak.v1 import tool_pb2, tool_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.e2e.instance import ROOT, free_port, wait_for

CALCULATOR = ROOT / "services/calculator"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where calculator's host listens, alone and enclosed."""
    listen = f"127.0.0.1:{free_port()}"
    token = tmp_path / "token"
    token.write_text("none")
    options = ["--service", str(CALCULATOR), "--listen", listen, "--gateway", "localhost:7500", "--port", "53"]
    command = [
        sys.executable,
        "-I",
        "-m",
        "firebreak_runtime",
        *options,
        "--token-file",
        str(token),
        "--enclose",
        "best-effort",
    ]
    process = subprocess.Popen(command)
    yield listen
    process.terminate()
    process.wait(30)


def test_an_enclosed_service_answers_at_its_port(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)

        def serves() -> bool:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=30, wait_for_ready=True)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

        wait_for(serves, 30.0, "calculator")
        call = tool_pb2.ToolCall(target="calculator", args_json=b'{"expression": "6 * 7"}')
        answer = tool_pb2_grpc.ToolServiceStub(channel).Call(tool_pb2.ToolServiceCallRequest(call=call), timeout=10)
    assert answer.result.content[0].text == "42"
