"""LangChain's suite for retrievers."""

from __future__ import annotations

from typing import Any

from firebreak_runtime.remote import RemoteRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests

from tests.standard.services.finder.finder import Finder
from tests.standard.suites.where import DOOR, target


def remote(**parameters: Any) -> RemoteRetriever:
    """The proxy; what a retriever is made with elsewhere, its proxy sends with each query."""
    return RemoteRetriever(target=target("finder"), gateway=DOOR, parameters=parameters)


class _Local:
    @property
    def retriever_constructor(self) -> Any:
        return Finder

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {}

    @property
    def retriever_query_example(self) -> str:
        return "refunds"


class _Remote(_Local):
    @property
    def retriever_constructor(self) -> Any:
        return remote


class TestLocalIntegration(_Local, RetrieversIntegrationTests):
    pass


class TestProxyIntegration(_Remote, RetrieversIntegrationTests):
    pass
