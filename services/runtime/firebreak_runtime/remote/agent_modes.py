"""LangGraph's stream modes, made from what happens in a remote agent's run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from firebreak_runtime.remote.agent_run import Chunk, Finished, Happening, Reached, Reported, Said, Updated, last_chunk

MODES = ("values", "updates", "messages", "custom")

_AGENT = "agent"


class Modes:
    """What a stream yields: with one mode its data, with a list of modes (mode, data) pairs.

    `metadata` is that of the stream's configuration; with "messages" it comes along, with the name of the node.
    """

    def __init__(self, modes: str | Sequence[str], metadata: Mapping[str, Any]) -> None:
        self._paired = not isinstance(modes, str)
        self._modes = [modes] if isinstance(modes, str) else list(modes)
        self._metadata = metadata
        self._last: dict[str, Any] | None = None
        self._updated: set[str | None] = set()
        unknown = [mode for mode in self._modes if mode not in MODES]
        if unknown:
            raise ValueError(f"a remote agent has no stream mode {unknown[0]!r}, only {', '.join(MODES)}")

    @property
    def values(self) -> bool:
        """Whether the whole state is asked for."""
        return "values" in self._modes

    def items(self, happening: Happening) -> Iterator[Any]:
        """What is yielded for one happening."""
        for mode, data in self._data(happening):
            if mode in self._modes:
                yield (mode, data) if self._paired else data

    def _data(self, happening: Happening) -> Iterator[tuple[str, Any]]:
        if isinstance(happening, Chunk):
            yield "messages", self._message(happening.message, happening.node)
        elif isinstance(happening, Said):
            last = last_chunk(happening.message) if happening.chunks else happening.message
            if last is not None:
                yield "messages", self._message(last, happening.node)
        elif isinstance(happening, Updated):
            self._updated.update(message.id for message in (happening.update or {}).get("messages", ()))
            yield "updates", {happening.node: happening.update}
        elif isinstance(happening, Reported):
            yield "custom", happening.data
        elif isinstance(happening, (Reached, Finished)):
            yield from self._state(happening)

    def _state(self, happening: Reached | Finished) -> Iterator[tuple[str, Any]]:
        late = (
            [m for m in happening.added if not m.id or m.id not in self._updated]
            if isinstance(happening, Finished)
            else []
        )
        if late:  # an agent that is no graph has no nodes to tell its answer
            yield "updates", {_AGENT: {"messages": late}}
        if happening.state != self._last:
            self._last = happening.state
            yield "values", happening.state

    def _message(self, message: BaseMessage, node: str) -> tuple[BaseMessage, dict[str, Any]]:
        return message, {**self._metadata, **({"langgraph_node": node} if node else {})}
