"""A chat model in another process, as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from firebreak.v1 import model_pb2
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field
from typing_extensions import override

from firebreak_runtime.chunks import read_chunk
from firebreak_runtime.convert import ConvertError, from_message
from firebreak_runtime.json_values import loads_object
from firebreak_runtime.remote.failures import Failure, RemoteError
from firebreak_runtime.remote.gateway import Gateway, Rpc
from firebreak_runtime.remote.prompt import choice_of, to_prompt

DESCRIBE = Rpc("/firebreak.v1.ModelService/Describe", model_pb2.ModelServiceDescribeResponse)
GENERATE = Rpc("/firebreak.v1.ModelService/Generate", model_pb2.ModelServiceGenerateResponse)
STREAM = Rpc("/firebreak.v1.ModelService/Stream", model_pb2.ModelServiceStreamResponse)

Event = model_pb2.ModelServiceStreamResponse


class RemoteChatModel(BaseChatModel):
    """Calls the chat model of the service `target` through the gateway. Every failure is raised as a RemoteError.

    `temperature`, `max_tokens`, `stop` apply to each call; None and empty leave them to the service. `timeout` is in seconds
    and only shortens what is left of the running call.
    """

    target: str
    model_name: str
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    timeout: float | None = None
    calls_tools: bool = True
    gateway: Gateway = Field(exclude=True, repr=False)

    @classmethod
    def from_spec(cls, spec: model_pb2.ModelSpec, target: str, gateway: Gateway) -> RemoteChatModel:
        """The proxy of a described model. Raises JsonError where its profile is no JSON object."""
        known: dict[str, Any] = {"calls_tools": spec.calls_tools}
        if spec.profile_json and "profile" in cls.model_fields:  # LangChain 0.3 knows no profiles
            known["profile"] = loads_object(spec.profile_json)
        return cls(target=target, model_name=spec.name or target, gateway=gateway, **known)

    @property
    def _llm_type(self) -> str:
        return "firebreak"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"target": self.target, "model_name": self.model_name, **self._own_parameters()}

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools on offer. Raises ValueError where it cannot ask for tools."""
        if not self.calls_tools:
            raise ValueError(f"the model {self.target} cannot ask for tools")
        strict = kwargs.get("strict")
        offered = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        choice = choice_of(tool_choice, offered)
        return self.bind(tools=offered, **({"tool_choice": choice} if choice else {}), **kwargs)

    @override
    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        request = model_pb2.ModelServiceGenerateRequest(prompt=self._prompt(messages, stop, kwargs))
        return self._result(self.gateway.call(GENERATE, self.target, request, self.timeout))

    @override
    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        request = model_pb2.ModelServiceGenerateRequest(prompt=self._prompt(messages, stop, kwargs))
        return self._result(await self.gateway.acall(GENERATE, self.target, request, self.timeout))

    @override
    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        request = model_pb2.ModelServiceStreamRequest(prompt=self._prompt(messages, stop, kwargs))
        reader = _Reader(self.target)
        with closing(self.gateway.stream(STREAM, self.target, request, self.timeout)) as events:
            for event in events:
                yield from reader.chunks(event)
        reader.check()

    @override
    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = model_pb2.ModelServiceStreamRequest(prompt=self._prompt(messages, stop, kwargs))
        reader = _Reader(self.target)
        async with aclosing(self.gateway.astream(STREAM, self.target, request, self.timeout)) as events:
            async for event in events:
                for chunk in reader.chunks(event):
                    yield chunk
        reader.check()

    def _prompt(self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]) -> model_pb2.Prompt:
        stops = stop if stop is not None else self.stop
        return to_prompt(self.target, messages, stops, {**self._own_parameters(), **kwargs})

    def _own_parameters(self) -> dict[str, Any]:
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {name: value for name, value in own.items() if value is not None}

    def _result(self, answer: model_pb2.ModelServiceGenerateResponse) -> ChatResult:
        try:
            message = from_message(answer.message)
        except ConvertError as error:
            raise _violated(self.target, str(error)) from None
        if not isinstance(message, AIMessage):
            raise _violated(self.target, "the message is not the assistant's")
        return ChatResult(generations=[ChatGeneration(message=message)])


class _Reader:
    """Reads the events of one stream: chunks, then the whole message, which must come."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._before: AIMessageChunk | None = None
        self._finished = False

    def chunks(self, event: Event) -> Iterator[ChatGenerationChunk]:
        self._finished = event.WhichOneof("event") == "finished"
        if self._finished:
            yield from self._last()
            return
        try:
            self._before = read_chunk(event.chunk)
        except ConvertError as error:
            raise _violated(self._target, str(error)) from None
        yield ChatGenerationChunk(message=self._before)

    def check(self) -> None:
        if not self._finished:
            raise _violated(self._target, "the stream ended without the whole message")

    def _last(self) -> Iterator[ChatGenerationChunk]:
        """From 1.0 on a stream's last chunk is marked; LangChain would add one itself, but under another id."""
        if self._before is not None and "chunk_position" in AIMessageChunk.model_fields:
            fields: dict[str, Any] = {"content": type(self._before.content)(), "chunk_position": "last"}
            yield ChatGenerationChunk(message=AIMessageChunk(id=self._before.id, **fields))


def _violated(target: str, why: str) -> RemoteError:
    return RemoteError(Failure(target, "CONTRACT_VIOLATED", f"the model's answer is not usable: {why}"))


def describing(target: str) -> model_pb2.ModelServiceDescribeRequest:
    return model_pb2.ModelServiceDescribeRequest(target=target)
