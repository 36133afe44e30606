"""Serves a LangChain retriever."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from firebreak.v1 import retriever_pb2
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from firebreak_runtime.convert import to_document
from firebreak_runtime.objects.entrypoint import Entrypoint, expect, find
from firebreak_runtime.objects.framework import framework
from firebreak_runtime.objects.shared import (
    AsyncEmit,
    Emit,
    Standalone,
    choose_mode,
    invalid,
    is_own,
    json_object,
    parse,
    unknown_method,
)
from firebreak_runtime.service_file import ServiceFile

_RESERVED = frozenset({"self", "query", "input", "run_manager", "config", "callbacks", "tags", "metadata", "run_name"})


def load(service: ServiceFile) -> ServedRetriever:
    """The retriever that the entrypoint names. Raises LoadError where it is none."""
    entrypoint = find(service)
    expect(entrypoint, BaseRetriever, "a LangChain retriever (a BaseRetriever)")
    return ServedRetriever(service, entrypoint)


class ServedRetriever(Standalone):
    """A retriever; method Retrieve."""

    def __init__(self, service: ServiceFile, entrypoint: Entrypoint) -> None:
        self._service, self._entrypoint = service, entrypoint
        self._retriever: BaseRetriever = entrypoint.value
        self.mode = choose_mode(service, is_own(type(self._retriever)._aget_relevant_documents))

    def describe(self) -> bytes:
        spec = retriever_pb2.RetrieverSpec(
            name=self._service.name,
            description=self._entrypoint.description(),
            framework=framework(),
            version=self._service.version,
        )
        return retriever_pb2.RetrieverServiceDescribeResponse(spec=spec).SerializeToString()

    def warm(self) -> None:
        """A retriever's own search is left to the first call: it may reach for what only a worker has."""
        _answer([Document(page_content="warm")])

    def call(self, method: str, request: bytes, emit: Emit) -> None:
        query, parameters = self._read(method, request)
        emit(_answer(self._retriever.invoke(query, **parameters)))

    async def acall(self, method: str, request: bytes, emit: AsyncEmit) -> None:
        query, parameters = self._read(method, request)
        await emit(_answer(await self._retriever.ainvoke(query, **parameters)))

    def _read(self, method: str, request: bytes) -> tuple[str, dict[str, Any]]:
        if method != "Retrieve":
            raise unknown_method(method, "retriever")
        wire = parse(retriever_pb2.RetrieverServiceRetrieveRequest, request)
        parameters = json_object(wire.parameters_json, "parameters")
        known = inspect.signature(self._retriever._get_relevant_documents).parameters
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
        for name in parameters:
            if name in _RESERVED or not (takes_any or name in known):
                raise invalid(f"parameters.{name}", "this retriever has no such parameter")
        return wire.query, parameters


def _answer(documents: Iterable[Document]) -> bytes:
    wire = [to_document(document) for document in documents]
    return retriever_pb2.RetrieverServiceRetrieveResponse(documents=wire).SerializeToString()
