"""What a tool reports while it runs: LangChain's custom events and LangGraph's stream writer, as progress events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from firebreak.v1 import tool_pb2
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from typing_extensions import override

from firebreak_runtime.json_values import dumps_marked
from firebreak_runtime.objects.shared import AsyncEmit, Emit


class Events:
    """Numbers the events of one streamed call, in the order in which they are made."""

    def __init__(self) -> None:
        self._seq = 0

    def progress(self, data: Any, name: str = "") -> bytes:
        """`name` is that of LangChain's custom event; "" for what was written to the stream."""
        told = {"name": name, "data": data} if name else data
        return self._event(progress=tool_pb2.ToolProgress(data_json=dumps_marked(told), name=name))

    def result(self, result: tool_pb2.ToolResult) -> bytes:
        return self._event(result=result)

    def _event(self, **event: Any) -> bytes:
        self._seq += 1
        return tool_pb2.ToolServiceStreamResponse(seq=self._seq, **event).SerializeToString()


class SyncProgress(BaseCallbackHandler):
    """Progress of a tool that runs on the worker's own thread."""

    def __init__(self, events: Events, emit: Emit) -> None:
        self._events, self._emit = events, emit

    def write(self, data: Any) -> None:
        self._emit(self._events.progress(data))

    @override
    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self._emit(self._events.progress(data, name))


class AsyncProgress(AsyncCallbackHandler):
    """Progress of a tool on an event loop.

    Reported from the loop, it waits while the caller reads slowly. From elsewhere (LangChain runs handlers of sync events
    on helper threads, sometimes while the loop is blocked) it is only queued; `settle` waits for that.
    """

    def __init__(self, events: Events, emit: AsyncEmit) -> None:
        self._events, self._emit = events, emit
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._queued: deque[Future[None]] = deque()

    def write(self, data: Any) -> None:
        self._queue(data)

    @override
    async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        # Behind what the stream writer has queued, or it would overtake it.
        self._queue(data, name)
        if asyncio.get_running_loop() is self._loop:
            await self.settle()

    async def settle(self) -> None:
        while self._queued:
            await asyncio.wrap_future(self._queued.popleft())

    def _queue(self, data: Any, name: str = "") -> None:
        self._queued.append(asyncio.run_coroutine_threadsafe(self._send(data, name), self._loop))

    async def _send(self, data: Any, name: str = "") -> None:
        # The lock keeps numbers and order together while an earlier event waits to be written.
        async with self._lock:
            await self._emit(self._events.progress(data, name))


Writer = Callable[[Any], None]


def nowhere(_: Any) -> None:
    """The stream writer of a call that nobody streams."""
