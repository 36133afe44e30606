"""Ordinary LangChain chat models that follow a script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_function, convert_to_openai_tool
from pydantic import Field


class Scripted(BaseChatModel):
    """Calls the first tool on offer with what its schema asks for, once; then says what it read. Streams word by word."""

    asks: bool = True
    failing: bool = False
    seen: list[Any] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Any:
        offered = [convert_to_openai_tool(one) for one in tools]
        return self.bind(tools=offered, tool_choice=tool_choice, **kwargs)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, stop, kwargs))])

    def _answer(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        if self.failing:
            raise RuntimeError("the key sk-123 is not valid")
        self.seen.append({"messages": messages, "stop": stop, **kwargs})
        usage: Any = {
            "input_tokens": 2,
            "output_tokens": 3,
            "total_tokens": 5,
            "input_token_details": {"cache_read": 1},
        }
        common: dict[str, Any] = {"usage_metadata": usage, "response_metadata": {"model_name": "scripted-1"}}
        answered = [message for message in messages if isinstance(message, ToolMessage)]
        if self.asks and kwargs.get("tools") and not answered:
            function = kwargs["tools"][0]["function"]
            calls: Any = [{"name": function["name"], "args": _filled(function), "id": "call-1", "type": "tool_call"}]
            return AIMessage(content="", tool_calls=calls, **common)
        last = answered[-1].content if answered else messages[-1].content
        return AIMessage(content=f"I read {last}", **common)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        answer = self._answer(messages, stop, kwargs)
        for call in answer.tool_calls:
            for part in ('{"', 'a": 5}' if "a" in call["args"] else 'text": "5"}'):
                first = part == '{"'
                named = {"name": call["name"], "id": call["id"]} if first else {"name": None, "id": None}
                yield _chunk(content="", tool_call_chunks=[tool_call_chunk(args=part, index=7, **named)])
        text = str(answer.content)
        for start in range(0, len(text), 4):
            yield _chunk(content=text[start : start + 4])
        yield _chunk(content="", usage_metadata=answer.usage_metadata, response_metadata=answer.response_metadata)


class ScriptedLater(Scripted):
    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return self._generate(messages, stop, **kwargs)

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, stop, **kwargs):
            yield chunk


class Mute(Scripted):
    """Cannot ask for tools and cannot stream."""

    bind_tools = BaseChatModel.bind_tools
    _stream = BaseChatModel._stream


def _chunk(**fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(**fields))


def _filled(function: dict[str, Any]) -> dict[str, Any]:
    properties = function["parameters"]["properties"]
    return {"a": 5} if "a" in properties else {next(iter(properties)): "5"}


scripted, scripted_later, mute, broken = Scripted(), ScriptedLater(), Mute(), Scripted(failing=True)


class AsksInText(Scripted):
    """Speaks the classic format of agents without tool calls."""

    def _answer(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        if "Observation: HEY" in str(messages[-1].content):
            return AIMessage(content="I know.\nFinal Answer: it was HEY")
        return AIMessage(content="I should shout.\nAction: shout\nAction Input: hey")


asks_in_text = AsksInText()


class Formatting(Scripted):
    """Gives structured output by a format of its own, as providers' models do."""

    def with_structured_output(self, schema: Any = None, *, include_raw: bool = False, **kwargs: Any) -> Any:
        """As langchain-openai has it."""
        if kwargs.get("method") == "json_mode":
            asked = self.bind(response_format={"type": "json_object"})
        else:
            function = convert_to_openai_function(schema)
            function["schema"] = function.pop("parameters")
            asked = self.bind(response_format={"type": "json_schema", "json_schema": function})
        is_model = isinstance(schema, type)
        return asked | (PydanticOutputParser(pydantic_object=schema) if is_model else JsonOutputParser())

    def _answer(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        answer = super()._answer(messages, stop, kwargs)
        return answer.model_copy(update={"content": '{"a": 5}'}) if kwargs.get("response_format") else answer


class Telling(Scripted):
    """Says much about its answer."""

    def _answer(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        usage: Any = {
            "input_tokens": 3,
            "output_tokens": 6,
            "total_tokens": 9,
            "input_token_details": {"cache_read": 2, "audio": 1},
            "output_token_details": {"reasoning": 4},
        }
        logprobs = {"content": [{"token": "hi", "logprob": -0.25, "top_logprobs": []}]}
        metadata = {"finish_reason": "length", "stop_reason": "max_tokens", "logprobs": logprobs, "model_name": "t-1"}
        return AIMessage(content="hi", usage_metadata=usage, response_metadata=metadata, additional_kwargs=REASONING)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        answer = self._answer(messages, stop, kwargs)
        yield _chunk(content="h", additional_kwargs={"reasoning_content": "I "})
        yield _chunk(content="i", additional_kwargs={"reasoning_content": "thought"})
        yield _chunk(content="", usage_metadata=answer.usage_metadata, response_metadata=answer.response_metadata)


REASONING = {"reasoning_content": "I thought"}

formatting, telling = Formatting(), Telling()
