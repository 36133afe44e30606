"""LangChain's suites for chat models. What a model of text cannot do (images, sound, documents) skips itself on both sides."""

from __future__ import annotations

from typing import Any

from firebreak_runtime.remote import RemoteChatModel
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from tests.standard.services.talker.talker import StandardModel
from tests.standard.suites.where import DOOR, target


class _Local:
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return StandardModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {}

    @property
    def has_structured_output(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True


class _Remote(_Local):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return RemoteChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"target": target("talker"), "model_name": "standard", "gateway": DOOR}


class TestLocalUnit(_Local, ChatModelUnitTests):
    pass


class TestLocalIntegration(_Local, ChatModelIntegrationTests):
    pass


class TestProxyUnit(_Remote, ChatModelUnitTests):
    pass


class TestProxyIntegration(_Remote, ChatModelIntegrationTests):
    pass
