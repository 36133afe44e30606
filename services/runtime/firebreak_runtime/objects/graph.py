"""Runs a LangGraph graph, such as create_agent makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import aclosing
from typing import Any
from uuid import uuid4

from firebreak.v1 import agent_pb2
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message

from firebreak_runtime.convert import total_usage
from firebreak_runtime.errors import ServedError
from firebreak_runtime.objects.job import Job
from firebreak_runtime.objects.journal import Journal, is_empty


class GraphDriver:
    """Follows a graph by its stream modes: chunks of messages, updates of nodes, the values of the state, and what its code
    reports."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    async def run(self, job: Job, journal: Journal) -> agent_pb2.RunFinished:
        run = _Run(journal, job.messages)
        modes = ["messages", "updates", "values", "custom"] if journal.streams else ["values"]
        given = {**job.state, "messages": job.messages} if job.messages else job.state
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
        return _result(run.state, job, journal)


class _Run:
    """What was seen of one run. Messages of hidden model calls (a summary, a check) never show in an update; they are
    closed with their node."""

    def __init__(self, journal: Journal, given: Iterable[BaseMessage]) -> None:
        self._journal = journal
        self._open: dict[str, tuple[str, AIMessage]] = {}
        self._told = {message.id: message for message in given}
        self.state: Any = {}

    async def take(self, mode: str, data: Any) -> None:
        if mode == "values":
            self.state = data
            if self._journal.states:
                await self._reached(data)
        elif mode == "messages":
            await self._chunk(*data)
        elif mode == "updates":
            for node, update in data.items():
                await self._update(node, update)
        elif mode == "custom":
            await self._journal.custom(data)

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
        node = str(metadata.get("langgraph_node", ""))
        self._open[message.id] = (node, joined)
        await self._journal.chunk(message, node)

    async def _update(self, node: str, update: Any) -> None:
        for part in update if isinstance(update, (list, tuple)) else [update]:
            for message in _messages(part):
                # The same object goes into the graph's state: its id has to be there before it is told.
                message.id = message.id or str(uuid4())
                self._open.pop(message.id, None)
                self._told.setdefault(message.id, message)
                await self._journal.message(message, node)
            update, messages = None if part is None else _without_messages(part), _listed(part)
            await self._journal.updated(node, update, messages, self._changed(messages))
        await self._close({node})

    async def _reached(self, state: Any) -> None:
        messages = _listed(state)
        await self._journal.reached(_without_messages(state), messages, self._changed(messages))

    def _changed(self, messages: Iterable[BaseMessage]) -> list[BaseMessage]:
        """Those that are not as they were told; from now on they are."""
        changed = [message for message in messages if not _same(self._told.get(message.id), message)]
        self._told.update((message.id, message) for message in changed)
        return changed

    async def _close(self, nodes: set[str]) -> None:
        for message_id, (node, message) in list(self._open.items()):
            if node in nodes:
                del self._open[message_id]
                whole = message_chunk_to_message(message) if isinstance(message, AIMessageChunk) else message
                await self._journal.message(whole, node)


def _result(state: Any, job: Job, journal: Journal) -> agent_pb2.RunFinished:
    given = {message.id for message in job.messages}
    conversation = _listed(state)
    added = [message for message in conversation if message.id not in given]
    answers = [message for message in added if isinstance(message, AIMessage)]
    last = added[-1] if added else None
    answer = answers[-1] if answers and not _is_tool(last) else last
    grown = [*job.messages, *added]
    as_it_grew = len(grown) == len(conversation) and all(map(_same, grown, conversation))
    whole = [] if as_it_grew else conversation
    return journal.result(answer, added, total_usage(answers), _without_messages(state), whole)


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


def _listed(part: Any) -> list[BaseMessage]:
    """The messages of the conversation in an update or a state, and those that an update takes out of it."""
    if isinstance(part, BaseMessage):
        return [part]
    return list(_messages(_fields(part).get("messages")))


def _same(one: BaseMessage | None, other: BaseMessage) -> bool:
    return one is other or one == other


def _without_messages(part: Any) -> dict[str, Any]:
    if isinstance(part, BaseMessage):
        return {}
    return {name: value for name, value in _fields(part).items() if name != "messages"}


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
