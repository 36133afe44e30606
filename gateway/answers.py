"""Holds a service to the contract: what each method may answer, checked message by message as it passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, retriever_pb2, tool_pb2
from google.protobuf.message import DecodeError

from gateway.routes import Kind, Method


class ContractError(Exception):
    """A service broke the contract; the text says how, and holds nothing of what it sent."""


class Answer(Protocol):
    """The check of one call's response messages. Both methods raise ContractError."""

    @property
    def complete(self) -> bool:
        """Whether the message that came last is the answer's last."""
        ...

    def message(self, data: bytes) -> Any:
        """The next message came. Returns what it says, parsed; None where nothing describes it."""
        ...

    def end(self) -> None:
        """The service finished with OK."""
        ...


def answer(method: Method) -> Answer:
    """A fresh check for one call of `method`."""
    if method.kind is Kind.SERVICE:
        return _Any(method.streams_response)
    if method.streams_response:
        return _Stream(*_STREAMS[method.name])
    return _Unary(*_UNARIES[method.name])


class _Any:
    """Whatever a routed service answers: its caller knows the contract. Where only one comes, the first message is the last."""

    __slots__ = ("_complete", "_streams")

    def __init__(self, streams: bool) -> None:
        self._streams = streams
        self._complete = False

    @property
    def complete(self) -> bool:
        return self._complete

    def message(self, data: bytes) -> Any:  # noqa: ARG002 - nothing is read of it
        self._complete = not self._streams

    def end(self) -> None:
        """Nothing is missing."""


class _Unary:
    """Exactly one message, complete."""

    __slots__ = ("_complete", "_parse", "_seen")

    def __init__(self, parse: Callable[[bytes], Any], complete: Callable[[Any], bool]) -> None:
        self._parse = parse
        self._complete = complete
        self._seen = False

    @property
    def complete(self) -> bool:
        return self._seen

    def message(self, data: bytes) -> Any:
        if self._seen:
            raise ContractError("it sent a second answer")
        self._seen = True
        response = _parsed(self._parse, data)
        if not self._complete(response):
            raise ContractError("its answer lacks a required field")
        return response

    def end(self) -> None:
        if not self._seen:
            raise ContractError("it finished without an answer")


class _Stream:
    """Events numbered from 1, exactly one of them terminal, and that the last."""

    __slots__ = ("_complete", "_finished", "_parse", "_seq", "_terminal")

    def __init__(self, parse: Callable[[bytes], Any], terminal: str, complete: Callable[[Any], bool]) -> None:
        self._parse = parse
        self._terminal = terminal
        self._complete = complete
        self._seq = 0
        self._finished = False

    @property
    def complete(self) -> bool:
        return self._finished

    def message(self, data: bytes) -> Any:
        if self._finished:
            raise ContractError("it sent an event after the terminal one")
        event = _parsed(self._parse, data)
        self._seq += 1
        if event.seq != self._seq:
            raise ContractError("it numbered its events wrongly")
        kind = event.WhichOneof("event")
        if kind is None:
            raise ContractError("it sent an event of no known kind")
        if kind == self._terminal:
            self._finished = True
            if not self._complete(getattr(event, kind)):
                raise ContractError("its terminal event lacks a required field")
        return event

    def end(self) -> None:
        if not self._finished:
            raise ContractError("it finished without a terminal event")


def _parsed(parse: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return parse(data)
    except DecodeError:
        raise ContractError("it sent bytes that are not the promised message") from None


def _tool_result(result: Any) -> bool:
    return result.status in _TOOL_STATUSES


def _message(message: Any) -> bool:
    """A model's message says something or asks for something; its role may be left out."""
    return bool(message.content or message.tool_requests or message.role)


def _run_finished(result: Any) -> bool:
    return bool(result.HasField("message") or result.state_json)


def _spec(response: Any) -> bool:
    return response.HasField("spec") and bool(response.spec.name)


def _anything(response: Any) -> bool:  # noqa: ARG001 - an answer that may be empty
    return True


_TOOL_STATUSES = {tool_pb2.TOOL_STATUS_OK, tool_pb2.TOOL_STATUS_TOOL_ERROR, tool_pb2.TOOL_STATUS_INVALID_ARGS}

_UNARIES: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bool]]] = {
    "/firebreak.v1.ToolService/Describe": (tool_pb2.ToolServiceDescribeResponse.FromString, _spec),
    "/firebreak.v1.ToolService/Call": (
        tool_pb2.ToolServiceCallResponse.FromString,
        lambda response: _tool_result(response.result),
    ),
    "/firebreak.v1.AgentService/Describe": (agent_pb2.AgentServiceDescribeResponse.FromString, _spec),
    "/firebreak.v1.AgentService/Invoke": (
        agent_pb2.AgentServiceInvokeResponse.FromString,
        lambda response: _run_finished(response.result),
    ),
    "/firebreak.v1.ModelService/Describe": (model_pb2.ModelServiceDescribeResponse.FromString, _spec),
    "/firebreak.v1.ModelService/Generate": (
        model_pb2.ModelServiceGenerateResponse.FromString,
        lambda response: _message(response.message),
    ),
    "/firebreak.v1.RetrieverService/Describe": (retriever_pb2.RetrieverServiceDescribeResponse.FromString, _spec),
    "/firebreak.v1.RetrieverService/Retrieve": (
        retriever_pb2.RetrieverServiceRetrieveResponse.FromString,
        _anything,
    ),
    "/firebreak.v1.EmbeddingService/Describe": (embedding_pb2.EmbeddingServiceDescribeResponse.FromString, _spec),
    "/firebreak.v1.EmbeddingService/Embed": (
        embedding_pb2.EmbeddingServiceEmbedResponse.FromString,
        _anything,
    ),
}

_STREAMS: dict[str, tuple[Callable[[bytes], Any], str, Callable[[Any], bool]]] = {
    "/firebreak.v1.ToolService/Stream": (tool_pb2.ToolServiceStreamResponse.FromString, "result", _tool_result),
    "/firebreak.v1.AgentService/Run": (agent_pb2.AgentServiceRunResponse.FromString, "run_finished", _run_finished),
    "/firebreak.v1.ModelService/Stream": (model_pb2.ModelServiceStreamResponse.FromString, "finished", _message),
}
