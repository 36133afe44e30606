"""The events of one agent run, in order and each once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from firebreak.v1 import agent_pb2, payload_pb2
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from firebreak_runtime.convert import ConvertError, role_of, text_of, to_message
from firebreak_runtime.json_values import dumps_marked

Event = agent_pb2.AgentServiceRunResponse
Send = Callable[[bytes], Awaitable[None]]


class Journal:
    """Turns what a framework reports into events: started, deltas and finished once for each message and each tool call.

    Frameworks repeat themselves (a message arrives as chunks, as a node's update and in the final state), so everything is
    known by its id. `send` None makes a journal that only listens: the same run without a stream.
    """

    def __init__(self, send: Send | None, known: frozenset[str] = frozenset()) -> None:
        self._send = send
        self._seq = 0
        self._lock = asyncio.Lock()
        self._started: set[str] = set()
        self._finished: set[str] = set(known)
        self._calls: dict[str, str] = {}
        self._answered: set[str] = set()

    @property
    def streams(self) -> bool:
        return self._send is not None

    async def chunk(self, chunk: AIMessage) -> None:
        """A piece of a message, or a whole one of a model that does not stream."""
        message_id = chunk.id or ""
        if not message_id or message_id in self._finished or (is_empty(chunk) and message_id not in self._started):
            return
        await self._start(message_id, payload_pb2.ROLE_ASSISTANT)
        text = text_of(chunk.content)
        if text:
            await self._event(content_delta=agent_pb2.ContentDelta(message_id=message_id, text=text))

    async def message(self, message: BaseMessage) -> None:
        """A whole message that the run added."""
        if isinstance(message, ToolMessage):
            await self.tool_finished(message)
            return
        if message.id is None:
            message.id = str(uuid4())
        if message.id in self._finished:
            return
        self._finished.add(message.id)
        wire = _written(message)
        if wire is None:
            return
        streamed = message.id in self._started
        await self._start(message.id, wire.role)
        text = text_of(message.content)
        if text and not streamed:
            await self._event(content_delta=agent_pb2.ContentDelta(message_id=message.id, text=text))
        await self._event(message_finished=agent_pb2.MessageFinished(message=wire))
        for request in wire.tool_requests:
            await self.tool_started(request.id, request.name, request.args_json)

    async def tool_started(self, tool_call_id: str, name: str, args_json: bytes) -> None:
        if tool_call_id in self._calls:
            return
        self._calls[tool_call_id] = name
        started = agent_pb2.ToolStarted(tool_call_id=tool_call_id, name=name, args_json=args_json)
        await self._event(tool_started=started)

    async def tool_output(self, tool_call_id: str, data_json: bytes) -> None:
        """Something that a tool reported while it runs."""
        await self._event(tool_output=agent_pb2.ToolOutput(tool_call_id=tool_call_id, data_json=data_json))

    async def tool_finished(self, message: ToolMessage) -> None:
        call_id = message.tool_call_id
        if call_id in self._answered or (message.id or "") in self._finished:
            return
        self._answered.add(call_id)
        wire = _written(message)
        if wire is None:
            return
        name = message.name or self._calls.get(call_id, "")
        await self.tool_started(call_id, name, b"{}")
        await self._event(tool_finished=agent_pb2.ToolFinished(tool_call_id=call_id, name=name, message=wire))

    async def state(self, node: str, update: Any) -> None:
        """A node of the graph ran; `update` is what it changed beside messages."""
        await self._event(state_updated=agent_pb2.StateUpdated(node=node, update_json=dumps_marked(update)))

    async def run_finished(self, result: agent_pb2.RunFinished) -> None:
        await self._event(run_finished=result)

    async def _start(self, message_id: str, role: payload_pb2.Role) -> None:
        if message_id not in self._started:
            self._started.add(message_id)
            await self._event(message_started=agent_pb2.MessageStarted(message_id=message_id, role=role))

    async def _event(self, **event: Any) -> None:
        if self._send is None:
            return
        # Remote tools report from their own tasks: number and order stay together.
        async with self._lock:
            self._seq += 1
            await self._send(Event(seq=self._seq, **event).SerializeToString())


def is_empty(chunk: AIMessage) -> bool:
    """Whether nothing is said. LangChain ends a stream by an empty chunk of another id where a provider gave ids of its own."""
    return not chunk.content and not chunk.tool_calls and not getattr(chunk, "tool_call_chunks", None)


def _written(message: BaseMessage) -> payload_pb2.Message | None:
    """The message on the wire; None for what is no message of the conversation, such as LangGraph's RemoveMessage."""
    try:
        role_of(message)
    except ConvertError:
        return None
    return to_message(message)


def finished(
    answer: BaseMessage | None, added: list[BaseMessage], usage: payload_pb2.Usage, state: Any
) -> agent_pb2.RunFinished:
    """The terminal event's content. `state` is the rest of the final state, a dict."""
    result = agent_pb2.RunFinished(messages=[w for m in added if (w := _written(m)) is not None])
    if answer is not None:
        result.message.CopyFrom(to_message(answer))
    if usage.total_tokens:
        result.usage.CopyFrom(usage)
    if state:
        result.state_json = dumps_marked(state)
    return result
