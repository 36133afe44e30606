"""Serves a LangChain embeddings object."""

from __future__ import annotations

from collections.abc import Sequence

from firebreak.v1 import embedding_pb2
from langchain_core.embeddings import Embeddings

from firebreak_runtime.errors import ServedError
from firebreak_runtime.objects.entrypoint import Entrypoint, expect, find
from firebreak_runtime.objects.framework import framework
from firebreak_runtime.objects.shared import AsyncEmit, Emit, Standalone, choose_mode, is_own, parse, unknown_method
from firebreak_runtime.service_file import ServiceFile

Request = embedding_pb2.EmbeddingServiceEmbedRequest


def load(service: ServiceFile) -> ServedEmbedding:
    """The embeddings object that the entrypoint names. Raises LoadError where it is none."""
    entrypoint = find(service)
    expect(entrypoint, Embeddings, "a LangChain embeddings object (an Embeddings)")
    return ServedEmbedding(service, entrypoint)


class ServedEmbedding(Standalone):
    """An embeddings object; method Embed. Texts for a query are embedded one by one, as LangChain's interface has it."""

    def __init__(self, service: ServiceFile, entrypoint: Entrypoint) -> None:
        self._service, self._entrypoint = service, entrypoint
        self._embeddings: Embeddings = entrypoint.value
        self.mode = choose_mode(service, is_own(type(self._embeddings).aembed_documents))

    def describe(self) -> bytes:
        spec = embedding_pb2.EmbeddingSpec(
            name=self._service.name,
            description=self._entrypoint.description(),
            framework=framework(),
            version=self._service.version,
        )
        return embedding_pb2.EmbeddingServiceDescribeResponse(spec=spec).SerializeToString()

    def warm(self) -> None:
        """Embedding itself is left to the first call: many libraries start threads for it."""
        _answer([[0.0]], ["warm"])

    def call(self, method: str, request: bytes, emit: Emit) -> None:
        wire = _read(method, request)
        texts = list(wire.texts)
        if wire.use == embedding_pb2.EMBEDDING_USE_QUERY:
            vectors = [self._embeddings.embed_query(text) for text in texts]
        else:
            vectors = self._embeddings.embed_documents(texts) if texts else []
        emit(_answer(vectors, texts))

    async def acall(self, method: str, request: bytes, emit: AsyncEmit) -> None:
        wire = _read(method, request)
        texts = list(wire.texts)
        if wire.use == embedding_pb2.EMBEDDING_USE_QUERY:
            vectors = [await self._embeddings.aembed_query(text) for text in texts]
        else:
            vectors = await self._embeddings.aembed_documents(texts) if texts else []
        await emit(_answer(vectors, texts))


def _read(method: str, request: bytes) -> Request:
    if method != "Embed":
        raise unknown_method(method, "embedding")
    return parse(Request, request)


def _answer(vectors: Sequence[Sequence[float]], texts: Sequence[str]) -> bytes:
    if len(vectors) != len(texts):
        raise ServedError("CONTRACT_VIOLATED", f"the embeddings gave {len(vectors)} vectors for {len(texts)} texts")
    wire = [embedding_pb2.Vector(values=vector) for vector in vectors]
    return embedding_pb2.EmbeddingServiceEmbedResponse(vectors=wire).SerializeToString()
