"""An embeddings object in another process, as LangChain's Embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from firebreak.v1 import embedding_pb2
from langchain_core.embeddings import Embeddings
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from firebreak_runtime.remote.failures import Failure, RemoteError
from firebreak_runtime.remote.gateway import Gateway, Rpc

DESCRIBE = Rpc("/firebreak.v1.EmbeddingService/Describe", embedding_pb2.EmbeddingServiceDescribeResponse)
EMBED = Rpc("/firebreak.v1.EmbeddingService/Embed", embedding_pb2.EmbeddingServiceEmbedResponse)

_TOO_LARGE = frozenset({"REQUEST_TOO_LARGE", "RESPONSE_TOO_LARGE", "MEMORY_EXCEEDED"})
"""What a call of fewer texts may get around."""

_DOCUMENT = embedding_pb2.EMBEDDING_USE_DOCUMENT
_QUERY = embedding_pb2.EMBEDDING_USE_QUERY


class RemoteEmbeddings(BaseModel, Embeddings):
    """Calls the embeddings object of the service `target` through the gateway. Every failure is raised as a RemoteError.

    A long list goes in several calls, one after the other, each of at most `batch_texts` texts and `batch_bytes` bytes; a call
    that is too large for the service all the same is halved, down to a single text. Numbers come back with 32 bits. `timeout`
    is in seconds for each call and only shortens what is left of the running one.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    target: str
    description: str = ""
    batch_texts: int = Field(default=256, ge=1)
    batch_bytes: int = Field(default=128 * 1024, ge=1)
    timeout: float | None = None
    gateway: Gateway = Field(exclude=True, repr=False)

    @classmethod
    def from_spec(cls, spec: embedding_pb2.EmbeddingSpec, target: str, gateway: Gateway) -> RemoteEmbeddings:
        """The proxy of a described embeddings object."""
        return cls(target=target, description=spec.description, gateway=gateway)

    @override
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        waiting = list(self._batches(texts))[::-1]
        vectors: list[list[float]] = []
        while waiting:
            batch = waiting.pop()
            try:
                vectors += self._vectors(
                    self.gateway.call(EMBED, self.target, self._request(batch), self.timeout), batch
                )
            except RemoteError as error:
                waiting += _halves(batch, error)
        return vectors

    @override
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        waiting = list(self._batches(texts))[::-1]
        vectors: list[list[float]] = []
        while waiting:
            batch = waiting.pop()
            try:
                answer = await self.gateway.acall(EMBED, self.target, self._request(batch), self.timeout)
                vectors += self._vectors(answer, batch)
            except RemoteError as error:
                waiting += _halves(batch, error)
        return vectors

    @override
    def embed_query(self, text: str) -> list[float]:
        answer = self.gateway.call(EMBED, self.target, self._request([text], _QUERY), self.timeout)
        return self._vectors(answer, [text])[0]

    @override
    async def aembed_query(self, text: str) -> list[float]:
        answer = await self.gateway.acall(EMBED, self.target, self._request([text], _QUERY), self.timeout)
        return self._vectors(answer, [text])[0]

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """The texts in order, cut where a batch is full; one that is too large by itself goes alone."""
        batch: list[str] = []
        size = 0
        for text in texts:
            length = len(text.encode("utf-8", "replace"))
            if batch and (len(batch) == self.batch_texts or size + length > self.batch_bytes):
                yield batch
                batch, size = [], 0
            batch.append(text)
            size += length
        if batch:
            yield batch

    def _request(
        self, texts: list[str], use: embedding_pb2.EmbeddingUse = _DOCUMENT
    ) -> embedding_pb2.EmbeddingServiceEmbedRequest:
        return embedding_pb2.EmbeddingServiceEmbedRequest(target=self.target, texts=texts, use=use)

    def _vectors(self, answer: embedding_pb2.EmbeddingServiceEmbedResponse, texts: Sequence[str]) -> list[list[float]]:
        if len(answer.vectors) != len(texts):
            message = f"the embeddings gave {len(answer.vectors)} vectors for {len(texts)} texts"
            raise RemoteError(Failure(self.target, "CONTRACT_VIOLATED", message))
        return [list(vector.values) for vector in answer.vectors]


def describing(target: str) -> embedding_pb2.EmbeddingServiceDescribeRequest:
    return embedding_pb2.EmbeddingServiceDescribeRequest(target=target)


def _halves(batch: list[str], error: RemoteError) -> list[list[str]]:
    """The batch in two, the first half last; raises `error` again where that cannot help."""
    if error.reason not in _TOO_LARGE or len(batch) == 1:
        raise error
    middle = len(batch) // 2
    return [batch[middle:], batch[:middle]]
