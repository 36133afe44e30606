"""How a conversation is written for the model."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from services.smollm.smollm.conversation import INSTRUCTIONS, prompt
from tests.unit.services.smollm.fakes import Letters, read


def written(*messages: BaseMessage) -> str:
    return read(prompt(messages, Letters()))


def test_who_speaks_is_marked_and_the_model_is_next() -> None:
    turns = (SystemMessage("Be brief."), HumanMessage("Hi"), AIMessage("Hello"), HumanMessage("Bye"))
    assert written(*turns) == ("<system\nBe brief.>\n<user\nHi>\n<assistant\nHello>\n<user\nBye>\n<assistant\n")


def test_without_instructions_it_gets_some() -> None:
    assert written(HumanMessage("Hi")) == f"<system\n{INSTRUCTIONS}>\n<user\nHi>\n<assistant\n"


def test_text_in_blocks_is_read() -> None:
    assert "<user\nHi you>" in written(HumanMessage([{"type": "text", "text": "Hi"}, " you"]))


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="reads text only"):
        written(HumanMessage([{"type": "image_url", "image_url": {"url": "data:,"}}]))


@pytest.mark.parametrize(
    "message",
    [
        ToolMessage("7", tool_call_id="a"),
        AIMessage("", tool_calls=[{"name": "x", "args": {}, "id": "a", "type": "tool_call"}]),
    ],
)
def test_tools_are_refused(message: BaseMessage) -> None:
    with pytest.raises(ValueError, match="knows nothing of tools"):
        written(HumanMessage("Hi"), message)
