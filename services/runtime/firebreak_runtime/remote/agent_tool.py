"""A remote agent as a tool of another agent."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from firebreak_runtime.convert import text_of
from firebreak_runtime.remote.tool_failure import show, told_to_the_model


class Request(BaseModel):
    """What the tool takes."""

    request: str = Field(
        description="What the agent is asked to do, in words. It knows nothing else of the conversation."
    )


def agent_tool(agent: Runnable[Any, dict[str, Any]], name: str, description: str) -> BaseTool:
    """A tool that asks `agent` and answers with the text of its answer. A failure is told to the model in words."""

    def ask(request: str, callbacks: Callbacks = None) -> str:
        with told_to_the_model():
            return _answer(agent.invoke(request, {"callbacks": callbacks}))

    async def ask_on_loop(request: str, callbacks: Callbacks = None) -> str:
        with told_to_the_model():
            return _answer(await agent.ainvoke(request, {"callbacks": callbacks}))

    return StructuredTool.from_function(
        func=ask,
        coroutine=ask_on_loop,
        name=name,
        description=description,
        args_schema=Request,
        handle_tool_error=show,
    )


def _answer(output: dict[str, Any]) -> str:
    messages = output["messages"]
    return text_of(messages[-1].content) if messages else ""
