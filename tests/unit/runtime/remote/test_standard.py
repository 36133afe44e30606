"""LangChain's own suites for tools and chat models, on the proxies and, as a control, on the same objects without a wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from firebreak_runtime.objects import load
from firebreak_runtime.remote import RemoteChatModel
from firebreak_runtime.remote.connect import tool
from firebreak_runtime.remote.gateway import Gateway
from firebreak_runtime.served import WorkerEnv
from firebreak_runtime.service_file import ServiceFile
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ChatModelIntegrationTests, ToolsIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests, ToolsUnitTests

from tests.unit.runtime import samples, standard_model
from tests.unit.runtime.fake_gateway import FakeGateway


def served(folder: Path, entrypoint: str, kind: str) -> Any:
    effect = "READ" if kind == "tool" else None
    return load(ServiceFile(folder, kind, kind, "1.0.0", f"tests.unit.runtime.{entrypoint}", effect))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: Any) -> Iterator[FakeGateway]:
    folder = tmp_path_factory.mktemp("gateway")
    fake = FakeGateway(folder)
    fake.serve("ToolService", served(folder, "samples:look_up", "tool"))
    fake.serve("ModelService", served(folder, "standard_model:standard", "model"))
    yield fake
    fake.stop()


@pytest.fixture(autouse=True)
def put(request: Any, shared: FakeGateway, tmp_path: Path) -> Iterator[None]:
    """Gives each suite a door to the gateway; it asks its properties, not fixtures, for the object."""
    door = Gateway(shared.address, shared.token_file)
    service = ServiceFile(tmp_path, "suite", "agent", "1.0.0", "x:y")
    request.instance.door, request.instance.env = door, WorkerEnv(shared.address, shared.token_file, service)
    yield
    door.close()


class _Tool:
    door: Gateway
    env: WorkerEnv

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"words": "refunds"}


class _Remote(_Tool):
    @property
    def tool_constructor(self) -> BaseTool:
        return tool("tool", self.env, self.door)


class _Local(_Tool):
    @property
    def tool_constructor(self) -> BaseTool:
        return samples.look_up


class TestRemoteTool(_Remote, ToolsUnitTests):
    pass


class TestRemoteToolCalls(_Remote, ToolsIntegrationTests):
    pass


class TestLocalTool(_Local, ToolsUnitTests):
    pass


class TestLocalToolCalls(_Local, ToolsIntegrationTests):
    pass


class _RemoteModel:
    door: Gateway
    env: WorkerEnv

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return RemoteChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"target": "model", "model_name": "standard", "gateway": self.door}

    @property
    def has_structured_output(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return False

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return False


class _LocalModel(_RemoteModel):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return standard_model.StandardModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {}


class TestRemoteModel(_RemoteModel, ChatModelUnitTests):
    pass


class TestRemoteModelCalls(_RemoteModel, ChatModelIntegrationTests):
    pass


class TestLocalModel(_LocalModel, ChatModelUnitTests):
    pass


class TestLocalModelCalls(_LocalModel, ChatModelIntegrationTests):
    pass
