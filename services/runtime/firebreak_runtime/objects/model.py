"""Serves a LangChain chat model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from firebreak.v1 import model_pb2
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable

from firebreak_runtime.chunks import ChunkWriter
from firebreak_runtime.convert import ConvertError, from_message, to_message
from firebreak_runtime.errors import ServedError
from firebreak_runtime.json_values import dumps_marked
from firebreak_runtime.objects.entrypoint import Entrypoint, expect, find
from firebreak_runtime.objects.framework import framework
from firebreak_runtime.objects.prompt import bind, read_messages
from firebreak_runtime.objects.shared import AsyncEmit, Emit, Standalone, choose_mode, is_own, parse, unknown_method
from firebreak_runtime.objects.token_limits import TokenLimits
from firebreak_runtime.service_file import ServiceFile

Event = model_pb2.ModelServiceStreamResponse


def load(service: ServiceFile) -> ServedModel:
    """The chat model that the entrypoint names. Raises LoadError where it is none."""
    entrypoint = find(service)
    expect(entrypoint, BaseChatModel, "a LangChain chat model (a BaseChatModel)")
    return ServedModel(service, entrypoint)


class ServedModel(Standalone):
    """A chat model; methods Generate and Stream. What the model raises passes through: the caller learns MODEL_FAILED."""

    def __init__(self, service: ServiceFile, entrypoint: Entrypoint) -> None:
        self._service, self._entrypoint = service, entrypoint
        self._model: BaseChatModel = entrypoint.value
        self._limits = TokenLimits(service, self._model)
        kind = type(self._model)
        self._calls_tools = kind.bind_tools is not BaseChatModel.bind_tools
        self.mode = choose_mode(service, is_own(kind._agenerate) or is_own(kind._astream))

    def describe(self) -> bytes:
        profile = getattr(self._model, "profile", None)
        spec = model_pb2.ModelSpec(
            name=self._service.name,
            description=self._entrypoint.description(),
            framework=framework(),
            version=self._service.version,
            profile_json=dumps_marked(profile) if isinstance(profile, Mapping) else b"",
            calls_tools=self._calls_tools,
            formats=type(self._model).with_structured_output is not BaseChatModel.with_structured_output,
        )
        return model_pb2.ModelServiceDescribeResponse(spec=spec).SerializeToString()

    def warm(self) -> None:
        """Converts one message both ways; the model itself may need what only a worker has."""
        from_message(to_message(AIMessage("warm")))

    def call(self, method: str, request: bytes, emit: Emit) -> None:
        model, messages = self._read(method, request)
        if method == "Generate":
            emit(_generated(model.invoke(messages), self._limits))
            return
        answer = _Answer(self._limits)
        for chunk in model.stream(messages):
            emit(answer.chunk(chunk))
        emit(answer.finished())

    async def acall(self, method: str, request: bytes, emit: AsyncEmit) -> None:
        model, messages = self._read(method, request)
        if method == "Generate":
            await emit(_generated(await model.ainvoke(messages), self._limits))
            return
        answer = _Answer(self._limits)
        async for chunk in model.astream(messages):
            await emit(answer.chunk(chunk))
        await emit(answer.finished())

    def _read(self, method: str, request: bytes) -> tuple[Runnable[Any, Any], list[BaseMessage]]:
        if method == "Generate":
            prompt = parse(model_pb2.ModelServiceGenerateRequest, request).prompt
        elif method == "Stream":
            prompt = parse(model_pb2.ModelServiceStreamRequest, request).prompt
        else:
            raise unknown_method(method, "model")
        messages = read_messages(prompt.messages, "prompt.messages")
        self._limits.check(messages, prompt)
        return bind(self._model, prompt, self._calls_tools, self._limits), messages


class _Answer:
    """The events of one streamed answer."""

    def __init__(self, limits: TokenLimits) -> None:
        self._limits = limits
        self._seq = 0
        self._writer = ChunkWriter()
        self._whole: BaseMessage | None = None

    def chunk(self, chunk: AIMessage) -> bytes:
        together = isinstance(self._whole, AIMessageChunk)
        self._whole = cast(AIMessageChunk, self._whole) + chunk if together else chunk
        return self._event(chunk=_written(self._writer.write, chunk))

    def finished(self) -> bytes:
        if self._whole is None:
            raise ServedError("CONTRACT_VIOLATED", "the model streamed no answer")
        self._limits.check_answer(self._whole)
        return self._event(finished=_written(to_message, self._whole))

    def _event(self, **event: Any) -> bytes:
        self._seq += 1
        return Event(seq=self._seq, **event).SerializeToString()


def _generated(message: BaseMessage, limits: TokenLimits) -> bytes:
    limits.check_answer(message)
    return model_pb2.ModelServiceGenerateResponse(message=_written(to_message, message)).SerializeToString()


def _written(write: Any, message: BaseMessage) -> Any:
    try:
        return write(message)
    except ConvertError as error:
        raise ServedError("CONTRACT_VIOLATED", f"the model's answer does not fit the contract: {error}") from None
