"""A model and tools for the dummy pass in the zygote: they answer at once and reach nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import override

from firebreak_runtime.service_file import ServiceFile


class StandInModel(BaseChatModel):
    """Asks for the first tool once, then says hello."""

    first_tool: str = ""

    @property
    def _llm_type(self) -> str:
        return "stand-in"

    @override
    def bind_tools(self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools])

    @override
    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        answered = any(isinstance(message, ToolMessage) for message in messages)
        asks = bool(self.first_tool) and not answered and bool(kwargs.get("tools"))
        calls = [{"name": self.first_tool, "args": {}, "id": "hello", "type": "tool_call"}] if asks else []
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="hello", tool_calls=calls))])

    @override
    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages, *args, **kwargs)


def stand_ins(service: ServiceFile) -> tuple[BaseChatModel, list[BaseTool]]:
    """A model, and one tool for each that the service uses, by the service's name."""
    names = [name.replace("-", "_") for name in service.uses_tools]
    tools: list[BaseTool] = [
        StructuredTool.from_function(coroutine=_hello, name=name, description="stands in") for name in names
    ]
    return StandInModel(first_tool=names[0] if names else ""), tools


async def _hello() -> str:
    return "hello"
