"""Runs in the router's own environment: asks the real model, and prints what it did as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from router.choice import plan
from router.embedding import nearness
from router.model import router
from router.offers import offer

TOOLS: list[dict[str, Any]] = json.loads(sys.argv[1])
QUESTIONS: list[str] = json.loads(sys.argv[2])
BOTH = "What is 1234 * 5678, and what does the handbook say about refunds?"


def seen(message: Any) -> dict[str, Any]:
    return {
        "content": message.content,
        "calls": [[call["name"], call["args"]] for call in message.tool_calls],
        "ids": [call["id"] for call in message.tool_calls],
        "usage": message.usage_metadata,
        "metadata": message.response_metadata,
    }


def streamed(messages: list[BaseMessage]) -> dict[str, Any]:
    chunks = list(bound.stream(messages))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return {"chunks": len([chunk for chunk in chunks if chunk.content or chunk.tool_call_chunks]), "whole": seen(whole)}


def refused(action: Any) -> str:
    try:
        action()
    except ValueError as error:
        return str(error)
    return ""


def answered(ask: AIMessage, first: str, second: str, status: str) -> list[BaseMessage]:
    one, two = (call["id"] or "" for call in ask.tool_calls)
    return [
        HumanMessage(BOTH),
        ask,
        ToolMessage(first, tool_call_id=one),
        ToolMessage(second, tool_call_id=two, status=status),  # type: ignore[arg-type]
    ]


@tool
def calculator(expression: str) -> str:
    """Work out arithmetic."""
    return expression


offers = [offer(given) for given in TOOLS]
bound = router.bind_tools(TOOLS)
ask = bound.invoke([SystemMessage("Be brief."), HumanMessage(BOTH)])
done = answered(ask, "7006652", "[Refunds]\nThirty days.", "success")
denied = answered(ask, "7006652", "policy does not allow this call", "error")
blocks = [HumanMessage([{"type": "text", "text": "What is 6 * 7?"}])]
print(
    json.dumps(
        {
            "chosen": [
                {"calls": [call.name for call in made.calls], "unmet": list(made.unmet)}
                for made in (plan(question, offers, nearness) for question in QUESTIONS)
            ],
            "ask": seen(ask),
            "again": seen(bound.invoke([SystemMessage("Be brief."), HumanMessage(BOTH)])),
            "async": seen(asyncio.run(bound.ainvoke(BOTH))),
            "done": seen(bound.invoke(done)),
            "denied": seen(bound.invoke(denied)),
            "unanswered": seen(bound.invoke(done[:2])),
            "next turn": seen(bound.invoke([*done, AIMessage("42"), HumanMessage("What is 1 + 1?")])),
            "stream ask": streamed(done[:1]),
            "stream done": streamed(done),
            "stopped": seen(bound.invoke(done, stop=["7006652"])),
            "blocks": seen(bound.invoke(blocks)),
            "base tool": seen(router.bind_tools([calculator]).invoke("What is 6 * 7?")),
            "bare": seen(router.invoke("What is 6 * 7?")),
            "hello": seen(bound.invoke("Hello!")),
            "empty": seen(bound.invoke([])),
            "none": seen(router.bind_tools(TOOLS, tool_choice="none").invoke(BOTH)),
            "forced": seen(router.bind_tools(TOOLS, tool_choice="handbook").invoke("What is 6 * 7?")),
            "forced done": seen(router.bind_tools(TOOLS, tool_choice="any").invoke(done)),
            "any": seen(router.bind_tools(TOOLS, tool_choice="any").invoke("Hello!")),
            "dict choice": seen(
                router.bind_tools(TOOLS, tool_choice={"type": "function", "function": {"name": "calculator"}}).invoke(
                    "6 * 7"
                )
            ),
            "unknown": refused(lambda: router.bind_tools(TOOLS, tool_choice="rm")),
            "unknown at call": refused(lambda: router.invoke("hi", tools=TOOLS, tool_choice="rm")),
            "unfillable": refused(lambda: router.bind_tools(TOOLS, tool_choice="calculator").invoke("Hello!")),
            "profile": router.profile,
            "name": [router.model_name, router._llm_type],
            "threads": len(list(Path("/proc/self/task").iterdir())),
        }
    )
)
