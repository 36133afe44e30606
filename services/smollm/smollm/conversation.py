"""A conversation as the model was taught to read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

INSTRUCTIONS = "You are a helpful AI assistant."
"""What comes first where the conversation has no instructions of its own: without any, the model expects some."""
_ROLES: tuple[tuple[type[BaseMessage], str], ...] = (
    (SystemMessage, "system"),
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
)


@runtime_checkable
class Encoder(Protocol):
    """What turns text and marks into numbers."""

    def encode(self, text: str) -> list[int]: ...

    def mark(self, name: str) -> int: ...


def prompt(messages: Sequence[BaseMessage], tokens: Encoder) -> list[int]:
    """The tokens up to where the model's answer begins. Raises ValueError for a message that it cannot read."""
    said = [(_role(message), _text(message)) for message in messages]
    if not said or said[0][0] != "system":
        said.insert(0, ("system", INSTRUCTIONS))
    numbers = [number for role, text in said for number in _message(role, text, tokens)]
    return [*numbers, tokens.mark("<|im_start|>"), *tokens.encode("assistant\n")]


def _message(role: str, text: str, tokens: Encoder) -> Iterator[int]:
    yield tokens.mark("<|im_start|>")
    yield from tokens.encode(f"{role}\n{text}")
    yield tokens.mark("<|im_end|>")
    yield from tokens.encode("\n")


def _role(message: BaseMessage) -> str:
    role = next((role for kind, role in _ROLES if isinstance(message, kind)), None)
    if role is None or getattr(message, "tool_calls", None):
        raise ValueError("this model knows nothing of tools: send it messages of system, user and assistant only")
    return role


def _text(message: BaseMessage) -> str:
    """The message's text; raises ValueError where it has anything else, which the model would answer without having seen."""
    blocks = [] if isinstance(message.content, str) else message.content
    if any(isinstance(block, dict) and block.get("type") != "text" for block in blocks):
        raise ValueError("this model reads text only: leave out images, sound and files")
    return str(message.text)
