"""Runs in an assistant's own environment, on either LangChain: a model that follows a script, and tools that are local.

Prints, for each run, the answer, what the tools were asked, and what the model saw, as JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, ToolException, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

build = importlib.import_module(f"{sys.argv[1]}.agent").build
limit = importlib.import_module(f"{sys.argv[1]}.agent").MAX_TURNS
asked: list[list[str]] = []


class Scripted(BaseChatModel):
    """Gives the script's messages one after the other, the last one again and again; notes what it saw."""

    script: list[AIMessage]
    seen: list[list[list[str]]] = Field(default_factory=list)
    offered: list[list[str]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind(tools=[convert_to_openai_tool(given) for given in tools], **kwargs)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        turn = len(self.seen)
        self.seen.append([[message.type, str(message.content)] for message in messages])
        self.offered.append([given["function"]["name"] for given in kwargs.get("tools", ())])
        message = self.script[min(turn, len(self.script) - 1)].model_copy(update={"id": f"message-{turn}"})
        return ChatResult(generations=[ChatGeneration(message=message)])


@tool
def calculator(expression: str) -> str:
    """Work out arithmetic."""
    asked.append(["calculator", expression])
    if expression == "1 / 0":
        raise ToolException("Division by zero.")
    return "7006652"


@tool
def handbook(query: str) -> str:
    """Search the handbook."""
    asked.append(["handbook", query])
    return "Thirty days."


calculator.handle_tool_error = True
TOOLS: list[BaseTool] = [calculator, handbook]
CALLS = AIMessage(
    "",
    tool_calls=[
        {"name": "calculator", "args": {"expression": "1234 * 5678"}, "id": "a"},
        {"name": "handbook", "args": {"query": "refunds"}, "id": "b"},
    ],
)
DIVIDES = AIMessage("", tool_calls=[{"name": "calculator", "args": {"expression": "1 / 0"}, "id": "c"}])
UNKNOWN = AIMessage("", tool_calls=[{"name": "rm", "args": {}, "id": "d"}])


def given(agent: Any, question: str) -> dict[str, Any]:
    """The input of a graph or of an executor."""
    if hasattr(agent, "agent"):
        return {"input": question, "chat_history": [HumanMessage("Hi"), AIMessage("Hello")]}
    return {"messages": [HumanMessage("Hi"), AIMessage("Hello"), HumanMessage(question)]}


def told(result: dict[str, Any]) -> str:
    return str(result["output"] if "output" in result else result["messages"][-1].content)


async def run(script: list[AIMessage], question: str = "What is it?", tools: list[BaseTool] = TOOLS) -> dict[str, Any]:
    """The same run twice, sync and async; the report is of the async one."""
    first = Scripted(script=script)
    sync = told(build(first, tools).invoke(given(build(first, tools), question)))
    asked.clear()
    model = Scripted(script=script)
    agent = build(model, tools)
    answer = told(await agent.ainvoke(given(agent, question)))
    return {
        "same": sync == answer,
        "answer": answer,
        "asked": sorted(asked),
        "seen": model.seen,
        "offered": model.offered,
        "turns": len(model.seen),
    }


async def main() -> dict[str, Any]:
    return {
        "limit": limit,
        "tools": await run([CALLS, AIMessage("Here you are.")]),
        "plain": await run([AIMessage("Hello.")], "Say {hello}"),
        "no tools": await run([AIMessage("Hello.")], tools=[]),
        "failing tool": await run([DIVIDES, AIMessage("It cannot be divided.")]),
        "unknown tool": await run([UNKNOWN, AIMessage("There is no such tool.")]),
        "endless": await run([DIVIDES]),
    }


print(json.dumps(asyncio.run(main())))
