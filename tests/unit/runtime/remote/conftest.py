"""Fixtures of the remote proxies' tests: a gateway in this process, and proxies of what it serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from firebreak_runtime.context import CallContext, current
from firebreak_runtime.objects import load
from firebreak_runtime.remote import RemoteChatModel, RemoteTool
from firebreak_runtime.remote.connect import chat_model, tool
from firebreak_runtime.remote.gateway import Gateway
from firebreak_runtime.served import Served, WorkerEnv
from firebreak_runtime.service_file import ServiceFile

from tests.unit.runtime.fake_gateway import FakeGateway

NOT_FOR_PROXIES = {
    "test_init_from_env": "nothing is read from the environment",
    "test_serdes": "proxies are never serialized: they are made from Describe",
    "test_init_time": "a benchmark",
    "test_stream_time": "a benchmark",
    "test_json_mode": "a provider's own mode",
    "test_invoke_with_model_override": "a caller cannot choose another model than the service's",
    "test_ainvoke_with_model_override": "a caller cannot choose another model than the service's",
    "test_stream_with_model_override": "a caller cannot choose another model than the service's",
    "test_astream_with_model_override": "a caller cannot choose another model than the service's",
    "test_pdf_inputs": "loads a file from the internet",
    "test_audio_inputs": "loads a file from the internet",
    "test_image_inputs": "loads a file from the internet",
    "test_image_tool_message": "loads a file from the internet",
    "test_pdf_tool_message": "loads a file from the internet",
}
"""Tests of LangChain's model suites that would only skip themselves, and why."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [
        item for item in items if "Model" not in item.nodeid or getattr(item, "originalname", "") not in NOT_FOR_PROXIES
    ]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    fake = FakeGateway(tmp_path)
    yield fake
    fake.stop()


@pytest.fixture
def env(gateway: FakeGateway, tmp_path: Path) -> WorkerEnv:
    service = ServiceFile(tmp_path, "assistant", "agent", "1.0.0", "x:y", uses_tools=("add",), uses_models=("router",))
    return WorkerEnv(gateway.address, gateway.token_file, service)


@pytest.fixture
def door(env: WorkerEnv) -> Iterator[Gateway]:
    made = Gateway(env.gateway, env.token_file)
    yield made
    made.close()


@pytest.fixture
def serve(tmp_path: Path, gateway: FakeGateway) -> Callable[..., Served]:
    """Puts an object of samples.py (or another module) behind the gateway."""

    def make(name: str, kind: str, *, module: str = "samples", **fields: Any) -> Served:
        entrypoint = f"tests.unit.runtime.{module}:{name}"
        fields.setdefault("effect", "READ" if kind == "tool" else None)
        served = load(ServiceFile(tmp_path, name.replace("_", "-"), kind, "1.2.3", entrypoint, **fields))
        gateway.serve(f"{kind.capitalize()}Service", served)
        return served

    return make


@pytest.fixture
def remote_tool(serve: Any, env: WorkerEnv, door: Gateway) -> Callable[..., RemoteTool]:
    def make(name: str = "add", **fields: Any) -> RemoteTool:
        serve(name, "tool", **fields)
        return tool(name.replace("_", "-"), env, door)

    return make


@pytest.fixture
def remote_model(serve: Any, env: WorkerEnv, door: Gateway) -> Callable[..., RemoteChatModel]:
    def make(name: str = "scripted", **fields: Any) -> RemoteChatModel:
        serve(name, "model", **fields)
        return chat_model(name.replace("_", "-"), env, door)

    return make


@pytest.fixture
def in_call() -> Iterator[CallContext]:
    """A call that runs in this service, with ten seconds left."""
    context = CallContext(
        deadline=time.monotonic() + 10,
        session="session-1",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        call_id="parent",
    )
    token = current.set(context)
    yield context
    current.reset(token)
