"""Chunks of a streamed message: LangChain's ⇄ firebreak.v1."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from firebreak.v1 import payload_pb2
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from firebreak_runtime.convert import ConvertError, assistant_fields, from_content, to_envelope, to_message


class ChunkWriter:
    """Writes the chunks of one message.

    Positions of tool calls become small integers: providers use any value, or none for a call that comes in one piece.
    """

    def __init__(self) -> None:
        self._positions: dict[Hashable, int] = {}

    def write(self, chunk: AIMessage) -> payload_pb2.Message:
        """One chunk; a whole message (of a model that does not stream) is one too."""
        if not isinstance(chunk, AIMessageChunk):
            return to_message(chunk)
        wire = to_envelope(chunk)
        wire.tool_requests.extend(self._fragment(part) for part in chunk.tool_call_chunks)
        return wire

    def _fragment(self, part: Any) -> payload_pb2.ToolRequest:
        args = (part["args"] or "").encode("utf-8", "replace")
        index = self._position(part["index"])
        return payload_pb2.ToolRequest(id=part["id"] or "", name=part["name"] or "", args_json=args, index=index)

    def _position(self, index: Any) -> int:
        key: Hashable = ("alone", len(self._positions)) if index is None else ("index", index)
        return self._positions.setdefault(key, len(self._positions))


def read_chunk(wire: payload_pb2.Message) -> AIMessageChunk:
    """LangChain's chunk. Raises ConvertError."""
    if wire.role != payload_pb2.ROLE_ASSISTANT:
        raise ConvertError("a chunk is not the assistant's")
    return AIMessageChunk(
        content=from_content(wire.content),
        id=wire.id or None,
        name=wire.name or None,
        tool_call_chunks=[
            tool_call_chunk(
                name=part.name or None,
                args=part.args_json.decode("utf-8", "replace"),
                id=part.id or None,
                index=part.index,
            )
            for part in wire.tool_requests
        ],
        **assistant_fields(wire),
    )
