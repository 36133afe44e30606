"""A retriever in another process, as a LangChain retriever."""

from __future__ import annotations

from typing import Any

from firebreak.v1 import retriever_pb2
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field
from typing_extensions import override

from firebreak_runtime.convert import ConvertError, from_document
from firebreak_runtime.json_values import JsonError, dumps
from firebreak_runtime.remote.failures import Failure, RemoteError
from firebreak_runtime.remote.gateway import Gateway, Rpc

DESCRIBE = Rpc("/firebreak.v1.RetrieverService/Describe", retriever_pb2.RetrieverServiceDescribeResponse)
RETRIEVE = Rpc("/firebreak.v1.RetrieverService/Retrieve", retriever_pb2.RetrieverServiceRetrieveResponse)


class RemoteRetriever(BaseRetriever):
    """Calls the retriever of the service `target` through the gateway. Every failure is raised as a RemoteError.

    `parameters` are searched with in each call; those of a call (`invoke("…", k=3)`) come on top. The service refuses the ones
    that its retriever does not take. `timeout` is in seconds and only shortens what is left of the running call.
    """

    target: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    timeout: float | None = None
    gateway: Gateway = Field(exclude=True, repr=False)

    @classmethod
    def from_spec(cls, spec: retriever_pb2.RetrieverSpec, target: str, gateway: Gateway) -> RemoteRetriever:
        """The proxy of a described retriever."""
        return cls(target=target, name=spec.name or target, description=spec.description, gateway=gateway)

    @override
    def _get_relevant_documents(self, query: str, *, run_manager: Any, **kwargs: Any) -> list[Document]:
        return self._documents(self.gateway.call(RETRIEVE, self.target, self._request(query, kwargs), self.timeout))

    @override
    async def _aget_relevant_documents(self, query: str, *, run_manager: Any, **kwargs: Any) -> list[Document]:
        request = self._request(query, kwargs)
        return self._documents(await self.gateway.acall(RETRIEVE, self.target, request, self.timeout))

    def _request(self, query: str, kwargs: dict[str, Any]) -> retriever_pb2.RetrieverServiceRetrieveRequest:
        parameters = {**self.parameters, **kwargs}
        try:
            written = dumps(parameters) if parameters else b""
        except JsonError as error:
            raise ValueError(f"the parameters cannot be written as JSON: {error}") from None
        return retriever_pb2.RetrieverServiceRetrieveRequest(target=self.target, query=query, parameters_json=written)

    def _documents(self, answer: retriever_pb2.RetrieverServiceRetrieveResponse) -> list[Document]:
        try:
            return [from_document(wire) for wire in answer.documents]
        except ConvertError as error:
            message = f"the retriever's answer is not usable: {error}"
            raise RemoteError(Failure(self.target, "CONTRACT_VIOLATED", message)) from None


def describing(target: str) -> retriever_pb2.RetrieverServiceDescribeRequest:
    return retriever_pb2.RetrieverServiceDescribeRequest(target=target)
