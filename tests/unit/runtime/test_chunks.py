"""A streamed message, in pieces, adds up to the same message on the other side."""

from __future__ import annotations

from typing import Any

import pytest
from firebreak.v1 import payload_pb2
from firebreak_runtime.chunks import ChunkWriter, read_chunk
from firebreak_runtime.convert import ConvertError
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.messages.tool import tool_call_chunk


def together(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk  # type: ignore[assignment]
    return whole


def across(chunks: list[AIMessageChunk]) -> list[AIMessageChunk]:
    writer = ChunkWriter()
    return [read_chunk(payload_pb2.Message.FromString(writer.write(chunk).SerializeToString())) for chunk in chunks]


pieces = st.lists(st.text(max_size=5), min_size=1, max_size=6)


@settings(deadline=None)
@given(pieces, pieces, st.sampled_from([0, 3]))
def test_texts_and_arguments_join_in_the_same_way(texts: list[str], fragments: list[str], index: int) -> None:
    chunks = [AIMessageChunk(content=text, id="m") for text in texts]
    for number, fragment in enumerate(fragments):
        named = {"name": "f", "id": "c"} if number == 0 else {"name": None, "id": None}
        chunks.append(
            AIMessageChunk(content="", id="m", tool_call_chunks=[tool_call_chunk(args=fragment, index=index, **named)])
        )

    here, back = (message_chunk_to_message(together(side)) for side in (chunks, across(chunks)))

    assert isinstance(here, AIMessage) and isinstance(back, AIMessage)
    assert back.content == here.content == "".join(texts)
    assert back.tool_calls == here.tool_calls
    assert [call["args"] for call in back.invalid_tool_calls] == [call["args"] for call in here.invalid_tool_calls]


def test_calls_that_come_in_one_piece_stay_apart() -> None:
    both = AIMessageChunk(
        content="",
        tool_calls=[
            {"name": "f", "args": {"a": 1}, "id": "1", "type": "tool_call"},
            {"name": "g", "args": {}, "id": "2", "type": "tool_call"},
        ],
    )

    (back,) = across([both])

    assert [(call["name"], call["args"], call["id"]) for call in back.tool_calls] == [
        ("f", {"a": 1}, "1"),
        ("g", {}, "2"),
    ]


def test_usage_and_metadata_of_a_chunk_come_along() -> None:
    usage: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "output_token_details": {"reasoning": 1}}
    chunk = AIMessageChunk(content="", usage_metadata=usage, response_metadata={"finish_reason": "stop"})

    (back,) = across([chunk])

    assert back.usage_metadata == usage
    assert back.response_metadata == {"finish_reason": "stop"}


def test_a_whole_message_is_a_chunk_too() -> None:
    wire = ChunkWriter().write(AIMessage("all", tool_calls=[{"name": "f", "args": {}, "id": "1", "type": "tool_call"}]))

    back = read_chunk(wire)

    assert back.content == "all" and back.tool_calls[0]["name"] == "f"


def test_a_chunk_of_someone_else_is_refused() -> None:
    with pytest.raises(ConvertError):
        read_chunk(payload_pb2.Message(role=payload_pb2.ROLE_USER))
