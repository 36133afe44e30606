"""The gRPC methods of each kind of service: their messages, and what an answer has to look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, retriever_pb2, tool_pb2
from google.protobuf.message import DecodeError, Message

Ask = Callable[[Any], Any]


@dataclass(frozen=True)
class Method:
    """One method. `name` is the short one; `ask` finds the message with `target` inside a request.

    `terminal` names the event that ends a stream; it is "" for a unary method.
    """

    name: str
    request: type[Message]
    response: type[Message]
    ask: Ask
    terminal: str = ""

    @property
    def streams(self) -> bool:
        return bool(self.terminal)


@dataclass(frozen=True)
class KindOfService:
    """What a kind of target serves: `name` is the full name of the gRPC service."""

    name: str
    describe: Method
    methods: tuple[Method, ...]


def _call(request: Any) -> Any:
    return request.call


def _input(request: Any) -> Any:
    return request.input


def _prompt(request: Any) -> Any:
    return request.prompt


def _itself(request: Any) -> Any:
    return request


def _kind(module: Any, service: str, *methods: tuple[str, Ask, str]) -> KindOfService:
    def method(name: str, ask: Ask, terminal: str) -> Method:
        request, response = f"{service}{name}Request", f"{service}{name}Response"
        return Method(name, getattr(module, request), getattr(module, response), ask, terminal)

    described = method("Describe", _itself, "")
    return KindOfService(f"firebreak.v1.{service}", described, tuple(method(*each) for each in methods))


KINDS: Mapping[str, KindOfService] = {
    "tool": _kind(tool_pb2, "ToolService", ("Call", _call, ""), ("Stream", _call, "result")),
    "agent": _kind(agent_pb2, "AgentService", ("Invoke", _input, ""), ("Run", _input, "run_finished")),
    "model": _kind(model_pb2, "ModelService", ("Generate", _prompt, ""), ("Stream", _prompt, "finished")),
    "retriever": _kind(retriever_pb2, "RetrieverService", ("Retrieve", _itself, "")),
    "embedding": _kind(embedding_pb2, "EmbeddingService", ("Embed", _itself, "")),
}
"""By the word for the kind in service.yaml."""


class AnswerError(Exception):
    """A worker's answer is not what the contract says; the text says how."""


class AnswerCheck:
    """Checks the messages of one answer: their type, and for a stream numbers from 1 and exactly one last event.

    `result` is asked about a tool's result and raises AnswerError.
    """

    def __init__(self, method: Method, result: Callable[[Any], None] | None = None) -> None:
        self._method = method
        self._result = result
        self._count = 0
        self._ended = False

    @property
    def complete(self) -> bool:
        """Whether the message that came last is the answer's last."""
        return self._ended or (self._count > 0 and not self._method.streams)

    def message(self, data: bytes) -> None:
        """The next message. Raises AnswerError."""
        self._count += 1
        if self._ended or (self._count > 1 and not self._method.streams):
            raise AnswerError("a message after the last one")
        try:
            message: Any = self._method.response.FromString(data)
        except DecodeError:
            raise AnswerError(f"message {self._count} is no {self._method.response.DESCRIPTOR.name}") from None
        if self._method.streams:
            self._event(message)
        if self._result is not None and (self._ended or not self._method.streams):
            self._result(message.result)

    def end(self) -> None:
        """No more messages. Raises AnswerError."""
        if self._method.streams and not self._ended:
            raise AnswerError(f"the stream ended without {self._method.terminal}")
        if self._count == 0:
            raise AnswerError("there was no message")

    def _event(self, message: Any) -> None:
        if message.seq != self._count:
            raise AnswerError(f"event {self._count} has the number {message.seq}")
        which = message.WhichOneof("event")
        if which is None:
            raise AnswerError(f"event {self._count} is empty")
        self._ended = which == self._method.terminal
