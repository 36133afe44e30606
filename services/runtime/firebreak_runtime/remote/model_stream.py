"""Reads what a remote model streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from firebreak.v1 import model_pb2
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from firebreak_runtime.chunks import read_chunk
from firebreak_runtime.convert import ConvertError
from firebreak_runtime.remote.failures import Failure, RemoteError

Event = model_pb2.ModelServiceStreamResponse


class StreamReader:
    """Reads the events of one stream: chunks, then the whole message, which must come."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._before: AIMessageChunk | None = None
        self._finished = False

    def chunks(self, event: Event) -> Iterator[ChatGenerationChunk]:
        self._finished = event.WhichOneof("event") == "finished"
        if self._finished:
            yield from self._last()
            return
        try:
            self._before = read_chunk(event.chunk)
        except ConvertError as error:
            raise violated(self._target, str(error)) from None
        yield ChatGenerationChunk(message=self._before)

    def check(self) -> None:
        if not self._finished:
            raise violated(self._target, "the stream ended without the whole message")

    def _last(self) -> Iterator[ChatGenerationChunk]:
        """From 1.0 on a stream's last chunk is marked; LangChain would add one itself, but under another id."""
        if self._before is not None and "chunk_position" in AIMessageChunk.model_fields:
            fields: dict[str, Any] = {"content": type(self._before.content)(), "chunk_position": "last"}
            yield ChatGenerationChunk(message=AIMessageChunk(id=self._before.id, **fields))


def violated(target: str, why: str) -> RemoteError:
    """The error of an answer that breaks the contract."""
    return RemoteError(Failure(target, "CONTRACT_VIOLATED", f"the model's answer is not usable: {why}"))
