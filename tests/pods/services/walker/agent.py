"""An agent without a model: it makes the tool calls that the message lists, in turn, whatever comes of each."""

import asyncio
import json
from typing import Any

from firebreak_runtime.remote import RemoteToolError
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda

PAUSE = 0.1
"""Seconds between two tries."""


def build(_model: Any, tools: Any) -> Runnable[Any, Any]:
    """The agent; it answers with a JSON list: of each call its text, or the reason why it failed.

    A step with "tries" is tried so often while the gateway cannot be reached, with a pause as docs/errors.md asks for.
    """
    (tool,) = tools
    tool = tool.model_copy(update={"handle_tool_error": False})

    async def walk(given: dict[str, Any]) -> AIMessage:
        return AIMessage(content=json.dumps([await outcome(tool, step) for step in json.loads(given["input"])]))

    return RunnableLambda(walk)


async def outcome(tool: Any, step: dict[str, Any]) -> str:
    tries = step.pop("tries", 1)
    while True:
        try:
            return str(await tool.ainvoke(step))
        except RemoteToolError as error:
            tries -= 1
            if error.reason != "TARGET_UNAVAILABLE" or tries == 0:
                return error.reason
        await asyncio.sleep(PAUSE)
