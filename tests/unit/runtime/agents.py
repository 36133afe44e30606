"""Graphs that do one thing each with their conversation, their state or their stream."""

from __future__ import annotations

from typing import Any, TypedDict

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage

from tests.unit.runtime.frameworks import END, START, MessagesState, StateGraph


class Counted(MessagesState):
    count: int


class Noted(MessagesState):
    notes: list[Any]


class Answered(MessagesState):
    structured_response: Any


class Number(TypedDict):
    number: int


def _alone(state: Any, node: Any) -> Any:
    return StateGraph(state).add_node("node", node).add_edge(START, "node").add_edge("node", END).compile()


def _tidy(state: Counted) -> dict[str, Any]:
    """Hides a key in what the user said, takes one message out, and answers."""
    first, *others = state["messages"]
    masked = HumanMessage("my key is …", id=first.id)
    return {"messages": [*(RemoveMessage(id=m.id or "") for m in others), masked, AIMessage("tidy", id="a-1")]}


def _answer(state: Answered) -> dict[str, Any]:
    return {"messages": [AIMessage("done", id="a-1")], "structured_response": {"degrees": 21}}


def _report(state: Counted) -> dict[str, Any]:
    from langgraph.config import get_stream_writer

    writer = get_stream_writer()
    writer({"step": 1})
    writer("half way")
    return {"count": 2}


tidying = _alone(Counted, _tidy)
structured = _alone(Answered, _answer)
reporting = _alone(Counted, _report)
silent = _alone(Counted, lambda state: None)
noting = _alone(Noted, lambda state: {"notes": [*state["notes"], {"$firebreak": "mine"}]})
odd = _alone(Noted, lambda state: {"notes": [object()]})
doubling = _alone(Number, lambda state: {"number": state["number"] * 2})
