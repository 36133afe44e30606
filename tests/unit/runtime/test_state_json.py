"""An agent's state comes back as it went, or does not go."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from firebreak_runtime.state_json import MAX_DEPTH, StateError, dump_state, load_state
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BaseModel


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    at: Any = None


class Model(BaseModel):
    y: int
    said: Any = None


CALL: Any = {"name": "add", "args": {"a": 1}, "id": "c-1", "type": "tool_call"}
BROKEN: Any = {"name": "add", "args": "{", "id": "c-2", "error": "no JSON", "type": "invalid_tool_call"}
USAGE: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_token_details": {"cache_read": 1}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**64 - 1,
        1.5,
        "text",
        [],
        {"a": {"b": [1, None]}},
        (1, ("two", [3])),
        {1, 2},
        b"\x00\xff",
        datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))),
        datetime(2020, 1, 2),
        Document(id="d", page_content="page", metadata={"n": (1,)}),
        HumanMessage("hi", id="a", name="ann", additional_kwargs={"k": 1}),
        HumanMessage([{"type": "text", "text": "hi"}, "plain"]),
        SystemMessage("be kind"),
        AIMessage(
            "ho", tool_calls=[CALL], invalid_tool_calls=[BROKEN], usage_metadata=USAGE, response_metadata={"m": 1}
        ),
        AIMessageChunk("ho", id="b"),
        ToolMessage("8", tool_call_id="c-1", artifact=[Document(page_content="p")], status="error"),
        ToolMessage("8", tool_call_id="c-1", artifact=b"\x00"),
        ChatMessage("x", role="critic"),
        FunctionMessage("x", name="f"),
        RemoveMessage(id="a"),
        {"messages": [HumanMessage("hi"), (AIMessage("ho"),)]},
        {"$firebreak": "message", "type": "human", "data": {}},
        {"$firebreak": {"$firebreak": 1}, "other": HumanMessage("hi")},
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_comes_back_as_it_went(value: Any) -> None:
    back = load_state(dump_state(value, "state", objects=False), "state")

    assert back == value and type(back) is type(value)


def test_objects_become_what_they_hold_where_that_is_allowed() -> None:
    value = {"point": Point(1, HumanMessage("hi")), "model": Model(y=2, said=(1,)), "colour": Colour.RED}

    back = load_state(dump_state(value, "state"), "state")

    assert back == {"point": {"x": 1, "at": HumanMessage("hi")}, "model": {"y": 2, "said": (1,)}, "colour": "red"}


@pytest.mark.parametrize("value", [Point(1), Model(y=1), Colour.RED])
def test_objects_are_refused_where_they_would_not_come_back(value: Any) -> None:
    with pytest.raises(StateError, match=r"state\.it is a "):
        dump_state({"it": value}, "state", objects=False)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, object()]}, r"state\.a\[1\] is a object"),
        ({"a": int}, r"state\.a is a type"),
        ({1: 2}, "state has a name that is no text"),
        (2**64, "cannot be written as JSON"),
        (float("nan"), "NaN"),
        ("\ud800", "cannot be written as JSON"),
        (HumanMessage("x", additional_kwargs={"secret": object()}), r"state\.additional_kwargs\.secret"),
    ],
)
def test_what_cannot_go_is_named_without_its_value(value: Any, words: str) -> None:
    with pytest.raises(StateError, match=words):
        dump_state(value, "state")


@pytest.mark.parametrize(("levels", "fits"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_nesting_is_bounded(levels: int, fits: bool) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]

    if fits:
        assert load_state(dump_state(value, "state"), "state") == value
        return
    with pytest.raises(StateError, match="nested too deep"):
        dump_state(value, "state")


@pytest.mark.parametrize(
    "wire",
    [
        {"$firebreak": "pickle", "value": "x"},
        {"$firebreak": 1},
        {"$firebreak": ["message"]},
        {"$firebreak": "message"},
        {"$firebreak": "message", "type": "shell", "data": {"content": "x"}},
        {"$firebreak": "message", "type": "human", "data": []},
        {"$firebreak": "message", "type": "human", "data": {}},
        {"$firebreak": "message", "type": "tool", "data": {"content": "x"}},
        {"$firebreak": "message", "type": "ai", "data": {"content": "x", "tool_calls": "x"}},
        {"$firebreak": "bytes", "value": "not base64!"},
        {"$firebreak": "bytes", "value": 1},
        {"$firebreak": "time", "value": "yesterday"},
        {"$firebreak": "tuple", "value": "text"},
        {"$firebreak": "set", "value": [[]]},
        {"$firebreak": "document", "value": {"page_content": 1}},
        {"$firebreak": "object", "value": []},
        {"deep": [{"$firebreak": "pickle"}]},
    ],
)
def test_what_is_none_of_ours_is_refused(wire: Any) -> None:
    with pytest.raises(StateError, match="state holds a"):
        load_state(orjson.dumps(wire), "state")


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 900 + b"]" * 900, b"[18446744073709551616]"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(StateError):
        load_state(data, "state")
