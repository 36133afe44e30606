"""Reads a conversation: the question that is open, and how the tool calls for it ended."""

from __future__ import annotations

import re
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from .answer import Outcome


def last_question(messages: Sequence[BaseMessage]) -> tuple[str, Sequence[BaseMessage]]:
    """The last user message's text, and the messages after it."""
    for place in range(len(messages) - 1, -1, -1):
        if isinstance(messages[place], HumanMessage):
            return str(messages[place].text), messages[place + 1 :]
    return "", messages


def outcomes(messages: Sequence[BaseMessage]) -> list[Outcome]:
    """How each tool call in these messages ended, in order; empty where there was none."""
    answers = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    outcomes: list[Outcome] = []
    for message in messages:
        for call in message.tool_calls if isinstance(message, AIMessage) else ():
            result = answers.get(call["id"] or "")
            text = str(result.text) if result else "there was no answer."
            outcomes.append(Outcome(call["name"], call["args"], text, result is None or result.status == "error"))
    return outcomes


def cut(text: str, stop: list[str] | None) -> str:
    places = [place for word in stop or () if word and (place := text.find(word)) >= 0]
    return text[: min(places)] if places else text


def size(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))
