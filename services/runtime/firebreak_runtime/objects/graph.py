"""Runs a LangGraph graph, such as create_agent makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

from firebreak.v1 import agent_pb2
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message

from firebreak_runtime.convert import total_usage
from firebreak_runtime.errors import ServedError
from firebreak_runtime.objects.job import Job
from firebreak_runtime.objects.journal import Journal, finished, is_empty


class GraphDriver:
    """Follows a graph by its stream modes: chunks of messages, updates of nodes, and the values of the state."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    async def run(self, job: Job, journal: Journal) -> agent_pb2.RunFinished:
        run = _Run(journal)
        modes = ["messages", "updates", "values"] if journal.streams else ["values"]
        given = {**job.state, "messages": job.messages}
        try:
            async with aclosing(self._graph.astream(given, job.config, stream_mode=modes)) as stream:
                async for mode, data in stream:
                    await run.take(mode, data)
        except Exception as error:
            # Told by its name: LangGraph itself is not imported for it.
            if type(error).__name__ == "GraphRecursionError":
                raise ServedError("AGENT_FAILED", "the agent took too many steps without an answer") from None
            raise
        await run.close()
        return _result(run.state, job)


class _Run:
    """What was seen of one run. Messages of hidden model calls (a summary, a check) never show in an update; they are
    closed with their node."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: dict[str, tuple[str, AIMessage]] = {}
        self.state: Any = {}

    async def take(self, mode: str, data: Any) -> None:
        if mode == "values":
            self.state = data
        elif mode == "messages":
            await self._chunk(*data)
        elif mode == "updates":
            for node, update in data.items():
                await self._update(node, update)

    async def close(self) -> None:
        await self._close({node for node, _ in self._open.values()})

    async def _chunk(self, message: BaseMessage, metadata: dict[str, Any]) -> None:
        if not isinstance(message, AIMessage) or message.id is None:
            return
        _, before = self._open.get(message.id, ("", None))
        if before is None and is_empty(message):
            return
        joined = (
            before + message if isinstance(before, AIMessageChunk) and isinstance(message, AIMessageChunk) else message
        )
        self._open[message.id] = (str(metadata.get("langgraph_node", "")), joined)
        await self._journal.chunk(message)

    async def _update(self, node: str, update: Any) -> None:
        for part in update if isinstance(update, (list, tuple)) else [update]:
            for message in _messages(part):
                self._open.pop(message.id or "", None)
                await self._journal.message(message)
            await self._journal.state(node, _without_messages(part))
        await self._close({node})

    async def _close(self, nodes: set[str]) -> None:
        for message_id, (node, message) in list(self._open.items()):
            if node in nodes:
                del self._open[message_id]
                whole = message_chunk_to_message(message) if isinstance(message, AIMessageChunk) else message
                await self._journal.message(whole)


def _result(state: Any, job: Job) -> agent_pb2.RunFinished:
    given = {message.id for message in job.messages}
    added = [message for message in _messages(_fields(state).get("messages")) if message.id not in given]
    answers = [message for message in added if isinstance(message, AIMessage)]
    last = added[-1] if added else None
    answer = answers[-1] if answers and not _is_tool(last) else last
    return finished(answer, added, total_usage(answers), _without_messages(state))


def _is_tool(message: BaseMessage | None) -> bool:
    """Whether a run ended with a tool's message: tools with return_direct answer for the agent."""
    return message is not None and message.type == "tool"


def _messages(part: Any) -> Iterator[BaseMessage]:
    """The messages in an update: its own, and those in lists of its fields."""
    if isinstance(part, BaseMessage):
        yield part
    elif isinstance(part, (list, tuple)):
        yield from (item for item in part if isinstance(item, BaseMessage))
    else:
        for value in _fields(part).values():
            yield from _messages(value) if isinstance(value, (BaseMessage, list, tuple)) else ()


def _without_messages(part: Any) -> dict[str, Any]:
    if isinstance(part, BaseMessage):
        return {}
    return {name: value for name, value in _fields(part).items() if name != "messages" and not any(_messages([value]))}


def _fields(part: Any) -> dict[str, Any]:
    """An update or a state as a dict: graphs have them as dicts, dataclasses or pydantic models."""
    if isinstance(part, dict):
        return part
    if part is None or isinstance(part, (str, int, float)):
        return {} if part is None else {"value": part}
    return {
        name: getattr(part, name)
        for name in getattr(part, "__dataclass_fields__", None) or getattr(part, "__dict__", {})
    }
