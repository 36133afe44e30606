"""LangChain's suites for embeddings."""

from __future__ import annotations

from typing import Any

from firebreak_runtime.remote import RemoteEmbeddings
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from tests.standard.services.embedder.embedder import Embedder
from tests.standard.suites.where import DOOR, target


class _Local:
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return Embedder

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {}


class _Remote(_Local):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return RemoteEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"target": target("embedder"), "gateway": DOOR}


class TestLocalUnit(_Local, EmbeddingsUnitTests):
    pass


class TestLocalIntegration(_Local, EmbeddingsIntegrationTests):
    pass


class TestProxyUnit(_Remote, EmbeddingsUnitTests):
    pass


class TestProxyIntegration(_Remote, EmbeddingsIntegrationTests):
    pass
