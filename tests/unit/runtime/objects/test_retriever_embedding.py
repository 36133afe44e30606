"""Any LangChain retriever and embeddings object, unmodified."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from firebreak.v1 import embedding_pb2, retriever_pb2
from firebreak_runtime.errors import ServedError
from firebreak_runtime.served import Served

from tests.unit.runtime.fake_gateway import collect


def retrieve(served: Served, parameters: bytes = b"") -> list[retriever_pb2.Document]:
    request = retriever_pb2.RetrieverServiceRetrieveRequest(target="it", query="q", parameters_json=parameters)
    (message,) = collect(served, "Retrieve", request.SerializeToString())
    return list(retriever_pb2.RetrieverServiceRetrieveResponse.FromString(message).documents)


def embed(served: Served, texts: list[str], use: str = "DOCUMENT") -> list[list[float]]:
    request = embedding_pb2.EmbeddingServiceEmbedRequest(target="it", texts=texts, use=f"EMBEDDING_USE_{use}")
    (message,) = collect(served, "Embed", request.SerializeToString())
    return [list(vector.values) for vector in embedding_pb2.EmbeddingServiceEmbedResponse.FromString(message).vectors]


def test_documents_come_best_first_with_their_metadata(serve: Any) -> None:
    found = retrieve(serve("words", "retriever"))

    assert [(document.page_content, orjson.loads(document.metadata_json)) for document in found] == [
        ("q 0", {"n": 0}),
        ("q 1", {"n": 1}),
    ]


def test_an_async_retriever_runs_its_coroutine(serve: Any) -> None:
    served = serve("words_later", "retriever")

    assert served.mode == "async"
    assert [document.page_content for document in retrieve(served)] == ["later q"]


def test_a_parameter_that_the_retriever_takes_reaches_it(serve: Any) -> None:
    assert len(retrieve(serve("words", "retriever"), b'{"limit": 5}')) == 5


@pytest.mark.parametrize("name", ["k", "run_manager", "config", "self"])
def test_any_other_parameter_is_refused(serve: Any, name: str) -> None:
    with pytest.raises(ServedError) as error:
        retrieve(serve("words", "retriever"), orjson.dumps({name: 1}))

    assert [field for field, _ in error.value.fields] == [f"parameters.{name}"]


@pytest.mark.parametrize(("name", "mark"), [("lengths", 0.0), ("lengths_later", 2.0)])
def test_texts_become_vectors_in_order(serve: Any, name: str, mark: float) -> None:
    assert embed(serve(name, "embedding"), ["a", "abc"]) == [[1.0, mark], [3.0, mark]]


@pytest.mark.parametrize(("name", "mark"), [("lengths", 1.0), ("lengths_later", 3.0)])
def test_a_query_is_embedded_as_one(serve: Any, name: str, mark: float) -> None:
    assert embed(serve(name, "embedding"), ["ab"], use="QUERY") == [[2.0, mark]]


def test_no_texts_are_no_vectors(serve: Any) -> None:
    assert embed(serve("too_few", "embedding"), []) == []


def test_fewer_vectors_than_texts_break_the_contract(serve: Any) -> None:
    with pytest.raises(ServedError) as error:
        embed(serve("too_few", "embedding"), ["a"])
    assert error.value.reason == "CONTRACT_VIOLATED"


@pytest.mark.parametrize(("name", "kind"), [("words", "retriever"), ("lengths", "embedding")])
def test_they_describe_themselves_and_refuse_other_methods(serve: Any, name: str, kind: str) -> None:
    served = serve(name, kind)
    served.warm()
    answer: Any = {
        "retriever": retriever_pb2.RetrieverServiceDescribeResponse,
        "embedding": embedding_pb2.EmbeddingServiceDescribeResponse,
    }

    spec = answer[kind].FromString(served.describe()).spec

    assert (spec.name, spec.version) == (name, "1.2.3")
    with pytest.raises(ServedError):
        collect(served, "Call", b"")
