"""A chat model that obeys LangChain's standard suite: it asks for the tools on offer with arguments made from their schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool


class StandardModel(BaseChatModel):
    """Deterministic; refuses a tool choice that names no tool on offer."""

    model_name: str = "standard"

    @property
    def _llm_type(self) -> str:
        return "standard"

    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **kwargs)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, stop, kwargs))])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        answer = self._answer(messages, stop, kwargs)
        for index, call in enumerate(answer.tool_calls):
            part = tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[part]))
        for word in str(answer.content).split(" ") if answer.content else ():
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))
        last = AIMessageChunk(
            content="", usage_metadata=answer.usage_metadata, response_metadata=answer.response_metadata
        )
        yield ChatGenerationChunk(message=last)

    def _answer(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        usage: Any = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
        common: dict[str, Any] = {"usage_metadata": usage, "response_metadata": {"model_name": self.model_name}}
        tools = {tool["function"]["name"]: tool["function"] for tool in kwargs.get("tools") or ()}
        if tools and not isinstance(messages[-1], ToolMessage):
            choice = kwargs.get("tool_choice")
            wanted = tools[choice] if choice in tools else next(iter(tools.values()))
            call: Any = {
                "name": wanted["name"],
                "args": _filled(wanted, _last_text(messages)),
                "id": "call-1",
                "type": "tool_call",
            }
            return AIMessage(content="", tool_calls=[call], **common)
        return AIMessage(content="This is an answer", **common)


def _last_text(messages: list[BaseMessage]) -> str:
    content = messages[-1].content
    return content if isinstance(content, str) else json.dumps(content)


def _filled(function: dict[str, Any], text: str) -> dict[str, Any]:
    parameters = function.get("parameters") or {}
    return {name: _value(text, schema) for name, schema in (parameters.get("properties") or {}).items()}


def _value(text: str, schema: dict[str, Any]) -> Any:
    """Something that fits; three is what the suite asks a tool of its own for."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _value(text, schema["anyOf"][0])
    kinds: dict[str, Any] = {"integer": 3, "number": 3.0, "boolean": True, "array": [], "object": {}, "null": None}
    return kinds.get(schema.get("type", "string"), text)


talker = StandardModel()
