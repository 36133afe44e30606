"""Embeddings behind the gateway are LangChain embeddings like any other; long lists go in calls that fit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from firebreak.v1 import embedding_pb2
from firebreak_runtime.remote import Gateway, RemoteEmbeddings, RemoteError

from tests.unit.runtime import samples
from tests.unit.runtime.fake_gateway import FakeGateway

EMBED = "/firebreak.v1.EmbeddingService/Embed"
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@pytest.fixture
def lengths(serve: Any, door: Gateway) -> RemoteEmbeddings:
    serve("lengths", "embedding")
    return RemoteEmbeddings(target="lengths", gateway=door)


def documents(way: str, embeddings: RemoteEmbeddings, texts: list[str]) -> Any:
    return embeddings.embed_documents(texts) if way == "sync" else on_loop(embeddings, "aembed_documents", texts)


def query(way: str, embeddings: RemoteEmbeddings, text: str) -> Any:
    return embeddings.embed_query(text) if way == "sync" else on_loop(embeddings, "aembed_query", text)


def on_loop(embeddings: RemoteEmbeddings, method: str, given: Any) -> Any:
    async def run() -> Any:
        try:
            return await getattr(embeddings, method)(given)
        finally:
            await embeddings.gateway.aclose()

    return asyncio.run(run())


def sent(gateway: FakeGateway) -> list[list[str]]:
    """The texts of each call."""
    return [list(embedding_pb2.EmbeddingServiceEmbedRequest.FromString(seen.request).texts) for seen in gateway.seen]


@WAYS
def test_vectors_are_those_of_the_embeddings(way: str, lengths: RemoteEmbeddings) -> None:
    assert documents(way, lengths, ["a", "abc"]) == samples.lengths.embed_documents(["a", "abc"])
    assert query(way, lengths, "ab") == samples.lengths.embed_query("ab")


def test_no_texts_are_no_call(lengths: RemoteEmbeddings, gateway: FakeGateway) -> None:
    assert lengths.embed_documents([]) == []
    assert gateway.seen == []


@WAYS
def test_a_batch_holds_so_many_texts_and_no_more(way: str, lengths: RemoteEmbeddings, gateway: FakeGateway) -> None:
    lengths.batch_texts = 2

    assert [vector[0] for vector in documents(way, lengths, ["a", "bb", "ccc"])] == [1, 2, 3]
    assert sent(gateway) == [["a", "bb"], ["ccc"]]


@WAYS
def test_a_batch_holds_so_many_bytes_and_no_more(way: str, lengths: RemoteEmbeddings, gateway: FakeGateway) -> None:
    lengths.batch_bytes = 4

    documents(way, lengths, ["aa", "ää", "bb", "bb", "a text beyond it"])

    assert sent(gateway) == [["aa"], ["ää"], ["bb", "bb"], ["a text beyond it"]]


def takes(gateway: FakeGateway, most: int, reason: str) -> None:
    """The service takes so many texts in one call."""
    fine = gateway.answers[EMBED]
    gateway.fail(EMBED, reason)
    refuses = gateway.answers[EMBED]

    def answer(request: bytes, context: Any) -> Iterator[bytes]:
        texts = embedding_pb2.EmbeddingServiceEmbedRequest.FromString(request).texts
        yield from fine(request, context) if len(texts) <= most else refuses(request, context)

    gateway.answers[EMBED] = answer


@WAYS
@pytest.mark.parametrize("reason", ["REQUEST_TOO_LARGE", "RESPONSE_TOO_LARGE", "MEMORY_EXCEEDED"])
def test_a_call_that_is_too_large_is_halved(
    way: str, reason: str, lengths: RemoteEmbeddings, gateway: FakeGateway
) -> None:
    takes(gateway, 2, reason)
    texts = ["a" * n for n in range(1, 6)]

    assert [vector[0] for vector in documents(way, lengths, texts)] == [1, 2, 3, 4, 5]
    assert [len(batch) for batch in sent(gateway)] == [5, 2, 3, 1, 2]


@WAYS
def test_a_single_text_that_is_too_large_is_raised(way: str, lengths: RemoteEmbeddings, gateway: FakeGateway) -> None:
    takes(gateway, 0, "REQUEST_TOO_LARGE")

    with pytest.raises(RemoteError, match="REQUEST_TOO_LARGE"):
        documents(way, lengths, ["a", "b"])
    assert [len(batch) for batch in sent(gateway)] == [2, 1]


@WAYS
def test_any_other_failure_is_raised_at_once(way: str, lengths: RemoteEmbeddings, gateway: FakeGateway) -> None:
    gateway.fail(EMBED, "POLICY_DENIED")

    with pytest.raises(RemoteError, match="POLICY_DENIED"):
        documents(way, lengths, ["a", "b"])
    with pytest.raises(RemoteError, match="POLICY_DENIED"):
        query(way, lengths, "a")
    assert len(gateway.seen) == 2


@WAYS
def test_another_number_of_vectors_is_raised(way: str, lengths: RemoteEmbeddings, gateway: FakeGateway) -> None:
    nothing = embedding_pb2.EmbeddingServiceEmbedResponse().SerializeToString()
    gateway.answers[EMBED] = lambda request, context: [nothing]

    with pytest.raises(RemoteError, match=r"CONTRACT_VIOLATED.*0 vectors for 1 texts"):
        documents(way, lengths, ["a"])
    with pytest.raises(RemoteError, match="CONTRACT_VIOLATED"):
        query(way, lengths, "a")


def test_its_own_timeout_shortens_each_call(lengths: RemoteEmbeddings, gateway: FakeGateway) -> None:
    lengths.timeout = 1.0
    lengths.embed_query("a")

    assert gateway.seen[-1].remaining < 1.5  # grpc rounds up
