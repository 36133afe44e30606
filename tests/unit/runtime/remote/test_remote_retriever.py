"""A retriever behind the gateway is a LangChain retriever like any other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from firebreak.v1 import retriever_pb2
from firebreak_runtime.remote import Gateway, RemoteError, RemoteRetriever

from tests.unit.runtime import samples
from tests.unit.runtime.fake_gateway import FakeGateway
from tests.unit.runtime.remote.recorder import Recorder

RETRIEVE = "/firebreak.v1.RetrieverService/Retrieve"
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@pytest.fixture
def words(serve: Any, door: Gateway) -> RemoteRetriever:
    serve("words", "retriever")
    return RemoteRetriever(target="words", gateway=door)


def invoke(way: str, retriever: RemoteRetriever, query: str, config: Any = None, **kwargs: Any) -> Any:
    if way == "sync":
        return retriever.invoke(query, config, **kwargs)

    async def run() -> Any:
        try:
            return await retriever.ainvoke(query, config, **kwargs)
        finally:
            await retriever.gateway.aclose()

    return asyncio.run(run())


def parameters(gateway: FakeGateway) -> bytes:
    return retriever_pb2.RetrieverServiceRetrieveRequest.FromString(gateway.seen[-1].request).parameters_json


@WAYS
def test_documents_are_those_of_the_retriever(way: str, words: RemoteRetriever) -> None:
    assert invoke(way, words, "q") == samples.words.invoke("q")


@WAYS
def test_parameters_of_the_call_come_on_top(way: str, words: RemoteRetriever, gateway: FakeGateway) -> None:
    words.parameters = {"limit": 3}

    assert len(invoke(way, words, "q")) == 3
    assert len(invoke(way, words, "q", limit=5)) == 5
    assert parameters(gateway) == b'{"limit":5}'


def test_without_parameters_none_are_sent(words: RemoteRetriever, gateway: FakeGateway) -> None:
    words.invoke("q")

    assert parameters(gateway) == b""


def test_a_parameter_that_is_no_json_is_refused_here(words: RemoteRetriever, gateway: FakeGateway) -> None:
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        words.invoke("q", limit=object())
    assert gateway.seen == []


@WAYS
def test_a_parameter_that_the_retriever_does_not_take_is_named(way: str, words: RemoteRetriever) -> None:
    with pytest.raises(RemoteError) as error:
        invoke(way, words, "q", k=1)

    assert error.value.failure.fields == (("parameters.k", "this retriever has no such parameter"),)


@WAYS
def test_callbacks_hear_what_they_hear_of_a_local_one(way: str, words: RemoteRetriever) -> None:
    here, there = Recorder(), Recorder()

    samples.words.invoke("q", {"callbacks": [here]})
    invoke(way, words, "q", {"callbacks": [there], "tags": ["t"], "metadata": {"m": 1}, "run_name": "looking"})

    assert [(told.event, told.given) for told in there.told] == [(told.event, told.given) for told in here.told]
    start = there.told[0]
    assert (start.tags, start.metadata["m"], start.more["name"]) == (["t"], 1, "looking")


@WAYS
def test_a_failure_is_raised_and_told(way: str, words: RemoteRetriever, gateway: FakeGateway) -> None:
    gateway.fail(RETRIEVE, "CIRCUIT_OPEN")
    heard = Recorder()

    with pytest.raises(RemoteError, match="CIRCUIT_OPEN"):
        invoke(way, words, "q", {"callbacks": [heard]})
    assert heard.events("retriever") == ["on_retriever_start", "on_retriever_error"]


def test_a_document_against_the_contract_is_raised(words: RemoteRetriever, gateway: FakeGateway) -> None:
    answer = retriever_pb2.RetrieverServiceRetrieveResponse(documents=[{"metadata_json": b"["}])
    gateway.answers[RETRIEVE] = lambda request, context: [answer.SerializeToString()]

    with pytest.raises(RemoteError, match="CONTRACT_VIOLATED"):
        words.invoke("q")


def test_batches_keep_their_order(words: RemoteRetriever) -> None:
    answers = words.batch(["a", "b"])

    assert [found[0].page_content for found in answers] == ["a 0", "b 0"]


def test_its_own_timeout_shortens_the_call(words: RemoteRetriever, gateway: FakeGateway) -> None:
    words.timeout = 1.0
    words.invoke("q")

    assert gateway.seen[-1].remaining < 1.5  # grpc rounds up
