"""A chat model in another process, as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from firebreak.v1 import model_pb2
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field
from typing_extensions import override

from firebreak_runtime.convert import ConvertError, from_message
from firebreak_runtime.json_values import loads_object
from firebreak_runtime.remote.failures import RemoteError
from firebreak_runtime.remote.gateway import Gateway, Rpc
from firebreak_runtime.remote.model_stream import StreamReader, violated
from firebreak_runtime.remote.order import Turns, common_profile
from firebreak_runtime.remote.prompt import choice_of, to_prompt
from firebreak_runtime.remote.structured import BY_FORMAT, by_format

DESCRIBE = Rpc("/firebreak.v1.ModelService/Describe", model_pb2.ModelServiceDescribeResponse)
GENERATE = Rpc("/firebreak.v1.ModelService/Generate", model_pb2.ModelServiceGenerateResponse)
STREAM = Rpc("/firebreak.v1.ModelService/Stream", model_pb2.ModelServiceStreamResponse)

ANSWERED_BY = "firebreak_target"
"""In the response_metadata of an answer: the service that gave it, where several could have."""


class RemoteChatModel(BaseChatModel):
    """Calls the chat model of the service `target` through the gateway. Every failure is raised as a RemoteError.

    `temperature`, `max_tokens`, `stop` apply to each call; None and empty leave them to the service. `timeout` is in seconds
    and only shortens what is left of the running call.

    `fallbacks` are asked in order where the model before cannot answer (see order.py) and nothing of its answer has come yet;
    the prompt, its tools and its parameters are the same for all. Those that cannot ask for tools are left out where some
    are on offer.
    """

    target: str
    model_name: str
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    timeout: float | None = None
    calls_tools: bool = True
    formats: bool = False
    fallbacks: tuple[RemoteChatModel, ...] = ()
    gateway: Gateway = Field(exclude=True, repr=False)

    @classmethod
    def from_spec(cls, spec: model_pb2.ModelSpec, target: str, gateway: Gateway) -> RemoteChatModel:
        """The proxy of a described model. Raises JsonError where its profile is no JSON object."""
        known: dict[str, Any] = {"calls_tools": spec.calls_tools, "formats": spec.formats}
        if spec.profile_json and "profile" in cls.model_fields:  # LangChain 0.3 knows no profiles
            known["profile"] = loads_object(spec.profile_json)
        return cls(target=target, model_name=spec.name or target, gateway=gateway, **known)

    @classmethod
    def in_order(cls, models: Sequence[RemoteChatModel]) -> RemoteChatModel:
        """The first of the models with the others as its fallbacks; what it says of itself holds for all of them."""
        first, *others = models
        if not others:
            return first
        said: dict[str, Any] = {"fallbacks": tuple(others), "formats": all(model.formats for model in models)}
        if "profile" in cls.model_fields:
            said["profile"] = common_profile([getattr(model, "profile", None) for model in models])
        return first.model_copy(update=said)

    @property
    def _llm_type(self) -> str:
        return "firebreak"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        named = {"target": self.target, "model_name": self.model_name, **self._own_parameters()}
        return {**named, "fallbacks": [model.target for model in self.fallbacks]} if self.fallbacks else named

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools on offer. Raises ValueError where it cannot ask for tools."""
        if not any(model.calls_tools for model in (self, *self.fallbacks)):
            raise ValueError(f"the model {self.target} cannot ask for tools")
        strict = kwargs.get("strict")
        offered = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        choice = choice_of(tool_choice, offered)
        return self.bind(tools=offered, **({"tool_choice": choice} if choice else {}), **kwargs)

    @override
    def with_structured_output(
        self, schema: Any = None, *, include_raw: bool = False, method: str = "function_calling", **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """As LangChain's. "json_schema" and "json_mode" ask for `response_format` where the model has a way of its own to give
        structured output; any other model is asked for a tool call, as LangChain itself does."""
        if method in BY_FORMAT and self.formats:
            strict = kwargs.pop("strict", None)
            if kwargs:
                raise ValueError(f"with_structured_output knows no {', '.join(sorted(kwargs))}")
            return by_format(self, schema, method, strict, include_raw)
        return super().with_structured_output(schema, include_raw=include_raw, method=method, **kwargs)

    @override
    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        turns = self._turns(kwargs)
        for model in turns:
            request = model_pb2.ModelServiceGenerateRequest(prompt=self._prompt(model, messages, stop, kwargs))
            try:
                answer = model.gateway.call(GENERATE, model.target, request, model.timeout)
                return self._result(model, answer)
            except RemoteError as error:
                turns.missed(error)
        raise AssertionError("the last turn returns or raises")

    @override
    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        turns = self._turns(kwargs)
        for model in turns:
            request = model_pb2.ModelServiceGenerateRequest(prompt=self._prompt(model, messages, stop, kwargs))
            try:
                answer = await model.gateway.acall(GENERATE, model.target, request, model.timeout)
                return self._result(model, answer)
            except RemoteError as error:
                turns.missed(error)
        raise AssertionError("the last turn returns or raises")

    @override
    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        turns = self._turns(kwargs)
        for model in turns:
            request = model_pb2.ModelServiceStreamRequest(prompt=self._prompt(model, messages, stop, kwargs))
            begun = False
            try:
                with closing(model._chunks(request)) as chunks:
                    for chunk in chunks:
                        yield chunk if begun else self._marked(model, chunk)
                        begun = True
                return
            except RemoteError as error:
                if begun:
                    raise
                turns.missed(error)

    @override
    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        turns = self._turns(kwargs)
        for model in turns:
            request = model_pb2.ModelServiceStreamRequest(prompt=self._prompt(model, messages, stop, kwargs))
            begun = False
            try:
                async with aclosing(model._achunks(request)) as chunks:
                    async for chunk in chunks:
                        yield chunk if begun else self._marked(model, chunk)
                        begun = True
                return
            except RemoteError as error:
                if begun:
                    raise
                turns.missed(error)

    def _chunks(self, request: model_pb2.ModelServiceStreamRequest) -> Generator[ChatGenerationChunk, None, None]:
        """This model's own answer, chunk by chunk."""
        reader = StreamReader(self.target)
        with closing(self.gateway.stream(STREAM, self.target, request, self.timeout)) as events:
            for event in events:
                yield from reader.chunks(event)
        reader.check()

    async def _achunks(self, request: model_pb2.ModelServiceStreamRequest) -> AsyncGenerator[ChatGenerationChunk, None]:
        reader = StreamReader(self.target)
        async with aclosing(self.gateway.astream(STREAM, self.target, request, self.timeout)) as events:
            async for event in events:
                for chunk in reader.chunks(event):
                    yield chunk
        reader.check()

    def _turns(self, kwargs: dict[str, Any]) -> Turns[RemoteChatModel]:
        models = (self, *self.fallbacks)
        able = [model for model in models if model.calls_tools] if kwargs.get("tools") else models
        return Turns(able or (self,))

    def _marked(self, model: RemoteChatModel, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        if self.fallbacks:
            chunk.message.response_metadata[ANSWERED_BY] = model.target
        return chunk

    def _prompt(
        self, model: RemoteChatModel, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> model_pb2.Prompt:
        stops = stop if stop is not None else self.stop
        return to_prompt(model.target, messages, stops, {**self._own_parameters(), **kwargs})

    def _own_parameters(self) -> dict[str, Any]:
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {name: value for name, value in own.items() if value is not None}

    def _result(self, model: RemoteChatModel, answer: model_pb2.ModelServiceGenerateResponse) -> ChatResult:
        try:
            message = from_message(answer.message)
        except ConvertError as error:
            raise violated(model.target, str(error)) from None
        if not isinstance(message, AIMessage):
            raise violated(model.target, "the message is not the assistant's")
        if self.fallbacks:
            message.response_metadata[ANSWERED_BY] = model.target
        return ChatResult(generations=[ChatGeneration(message=message)])


def describing(target: str) -> model_pb2.ModelServiceDescribeRequest:
    return model_pb2.ModelServiceDescribeRequest(target=target)
