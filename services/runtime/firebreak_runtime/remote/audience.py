"""Who hears what a remote tool reports while it runs: what it would be told of, if the tool ran here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firebreak.v1 import tool_pb2
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event

from firebreak_runtime.json_values import JsonError, loads
from firebreak_runtime.remote.failures import Failure, RemoteError
from firebreak_runtime.remote.listener import Listener, listener
from firebreak_runtime.remote.surroundings import graph_runtime, hears_custom_events


class _Nobody:
    """Stands for a listener that was never set: this is no served agent."""


class Audience:
    """The listener of a served agent's run, the stream of a graph, and LangChain's handlers of custom events.

    A served agent's listener hears for its graph, too: what goes to both would be told twice. `tool_call_id` is the model's;
    without it no listener could tell which call an event belongs to.
    """

    def __init__(self, target: str, tool_call_id: str) -> None:
        self._target, self._call_id = target, tool_call_id
        found = listener.get(_Nobody)
        self.listener: Listener | None = found if tool_call_id and found is not _Nobody else None  # type: ignore[assignment]
        self._handlers = hears_custom_events()
        runtime = graph_runtime() if found is _Nobody else None
        self._writer: Callable[[Any], None] | None = getattr(runtime, "stream_writer", None)

    @property
    def empty(self) -> bool:
        """Whether nobody hears: the tool is called without a stream then, which costs less."""
        return self.listener is None and self._writer is None and not self._handlers

    def hear(self, progress: tool_pb2.ToolProgress) -> None:
        """Tells one report to those who hear without waiting. Raises RemoteError for what is no JSON."""
        data = self._data(progress)
        if not progress.name:
            self._write(data)
        elif self._handlers:
            dispatch_custom_event(progress.name, data)

    async def ahear(self, progress: tool_pb2.ToolProgress) -> None:
        """Tells one report to all. Raises RemoteError for what is no JSON."""
        data = self._data(progress)
        if self.listener is not None:
            await self.listener.tool_output(self._call_id, progress.data_json, progress.name)
        if not progress.name:
            self._write(data)
        elif self._handlers:
            await adispatch_custom_event(progress.name, data)

    def _write(self, data: Any) -> None:
        if self._writer is not None:
            self._writer(data)

    def _data(self, progress: tool_pb2.ToolProgress) -> Any:
        try:
            told = loads(progress.data_json)
            return told["data"] if progress.name else told
        except (JsonError, KeyError, TypeError):
            raise RemoteError(Failure(self._target, "CONTRACT_VIOLATED", "the tool reported what is no JSON")) from None
