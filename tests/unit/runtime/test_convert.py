"""Messages, content and documents cross the wire and come back."""

from __future__ import annotations

from typing import Any

import pytest
from firebreak.v1 import payload_pb2
from firebreak_runtime.convert import (
    ConvertError,
    from_document,
    from_message,
    text_of,
    to_document,
    to_message,
    total_usage,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

text = st.text(st.characters(codec="utf-8"), max_size=20)
words = st.text("abcdefghij-_", min_size=1, max_size=10)
json_values: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(text, json_values, max_size=3)
block = st.builds(lambda kind, rest: {**rest, "type": kind}, words, json_objects) | st.builds(
    lambda t: {"type": "text", "text": t}, text
)
content = text | st.lists(block, min_size=1, max_size=4)
common: dict[str, Any] = {"content": content, "name": st.none() | words, "id": st.none() | words}
usage = st.none() | st.builds(
    lambda i, o, d: {
        "input_tokens": i,
        "output_tokens": o,
        "total_tokens": i + o,
        "input_token_details": {"cache_read": d},
    },
    *[st.integers(0, 10**6)] * 3,
)
calls = st.lists(
    st.fixed_dictionaries({"name": words, "args": json_objects, "id": words, "type": st.just("tool_call")}), max_size=3
)
metadata = st.dictionaries(words, json_values, max_size=3)
messages = st.one_of(
    st.builds(HumanMessage, **common),
    st.builds(SystemMessage, **common),
    st.builds(ToolMessage, **common, tool_call_id=words, status=st.sampled_from(["success", "error"])),
    st.builds(AIMessage, **common, tool_calls=calls, usage_metadata=usage, response_metadata=metadata),
)


@settings(deadline=None)
@given(messages)
def test_a_message_comes_back_as_it_went(message: BaseMessage) -> None:
    wire = payload_pb2.Message.FromString(to_message(message).SerializeToString())

    assert from_message(wire) == message


def test_what_a_provider_keeps_beside_the_content_comes_back() -> None:
    message = AIMessage("x", additional_kwargs={"signature": "abc"}, response_metadata={"model_name": "m"})

    assert from_message(to_message(message)) == message


def test_a_plain_text_is_one_text_block() -> None:
    assert [block.text for block in to_message(HumanMessage("hello")).content] == ["hello"]
    assert not to_message(HumanMessage("")).content


def test_texts_among_blocks_are_visible_as_texts() -> None:
    wire = to_message(
        HumanMessage([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "u"}}])
    )

    assert [block.WhichOneof("block") for block in wire.content] == ["text", "json"]


def test_arguments_that_are_no_json_object_become_an_invalid_tool_call() -> None:
    wire = payload_pb2.Message(
        role=payload_pb2.ROLE_ASSISTANT, tool_requests=[payload_pb2.ToolRequest(id="1", name="f", args_json=b'{"a":')]
    )

    message = from_message(wire)

    assert isinstance(message, AIMessage) and not message.tool_calls
    assert message.invalid_tool_calls[0]["args"] == '{"a":'
    assert to_message(message).tool_requests == wire.tool_requests


@pytest.mark.parametrize(
    "message", [FunctionMessage(name="f", content=""), ChatMessage(role="narrator", content=""), RemoveMessage(id="1")]
)
def test_messages_without_a_role_in_the_contract_are_refused(message: BaseMessage) -> None:
    with pytest.raises(ConvertError):
        to_message(message)


def test_a_chat_message_with_a_known_role_has_it() -> None:
    assert to_message(ChatMessage(role="user", content="")).role == payload_pb2.ROLE_USER


@pytest.mark.parametrize(
    "wire",
    [
        payload_pb2.Message(),
        payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(json=b"{")]),
        payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(json=b"[]")]),
        payload_pb2.Message(
            role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(json=b'{"text": "no type"}')]
        ),
        payload_pb2.Message(role=payload_pb2.ROLE_USER, metadata_json=b'{"n": 99999999999999999999}'),
    ],
)
def test_malformed_messages_are_refused(wire: payload_pb2.Message) -> None:
    with pytest.raises(ConvertError):
        from_message(wire)


def test_metadata_that_is_no_json_is_marked_not_lost() -> None:
    wire = to_message(AIMessage("x", response_metadata={"raw": object(), "n": float("nan"), "ok": 1}))

    assert from_message(wire).response_metadata == {
        "raw": {"not_json": "builtins.object"},
        "n": {"not_json": "builtins.float"},
        "ok": 1,
    }


def test_integers_beyond_64_bits_in_a_tool_call_are_refused() -> None:
    message = AIMessage("", tool_calls=[{"name": "f", "args": {"n": 2**64}, "id": "1", "type": "tool_call"}])

    with pytest.raises(ConvertError):
        to_message(message)


@settings(deadline=None)
@given(st.builds(Document, page_content=text, id=st.none() | words, metadata=metadata))
def test_a_document_comes_back_as_it_went(document: Document) -> None:
    assert from_document(to_document(document)) == document


def test_text_of_reads_what_a_person_reads() -> None:
    assert text_of([{"type": "text", "text": "a"}, {"type": "image", "text": "hidden"}, "b"]) == "ab"


def test_usage_adds_up() -> None:
    one = AIMessage("", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})

    total = total_usage([one, HumanMessage("x"), one])

    assert (total.input_tokens, total.output_tokens, total.total_tokens) == (2, 4, 6)
