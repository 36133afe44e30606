"""LangChain's suites for tools."""

from __future__ import annotations

from typing import Any

from firebreak_runtime.remote import RemoteTool
from firebreak_runtime.remote.remote_tool import DESCRIBE, describing
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from tests.standard.services.lookup.lookup import look_up
from tests.standard.suites.where import DOOR, target


class _Local:
    @property
    def tool_constructor(self) -> BaseTool:
        return look_up

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"words": "refunds"}


class _Remote(_Local):
    @property
    def tool_constructor(self) -> RemoteTool:
        name = target("lookup")
        return RemoteTool.from_spec(DOOR.call(DESCRIBE, name, describing(name)).spec, name, DOOR)


class TestLocalUnit(_Local, ToolsUnitTests):
    pass


class TestLocalIntegration(_Local, ToolsIntegrationTests):
    pass


class TestProxyUnit(_Remote, ToolsUnitTests):
    pass


class TestProxyIntegration(_Remote, ToolsIntegrationTests):
    pass
