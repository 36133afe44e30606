"""The events of one agent run, in order and each once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import uuid4

from firebreak.v1 import agent_pb2, payload_pb2
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage

from firebreak_runtime.chunks import ChunkWriter
from firebreak_runtime.convert import ConvertError, role_of, text_of, to_message
from firebreak_runtime.json_values import dumps_marked
from firebreak_runtime.objects.agent_state import write_state

Event = agent_pb2.AgentServiceRunResponse
Send = Callable[[bytes], Awaitable[None]]


class Journal:
    """Turns what a framework reports into events: started, deltas and finished once for each message and each tool call.

    Frameworks repeat themselves (a message arrives as chunks, as a node's update and in the final state), so everything is
    known by its id. `send` None makes a journal that only listens: the same run without a stream. With `whole_chunks` a delta
    holds all of a chunk, and a message that did not come in chunks has none. With `typed_state` values in the state are written
    so that they are known again.
    """

    def __init__(
        self,
        send: Send | None,
        known: frozenset[str] = frozenset(),
        *,
        whole_chunks: bool = False,
        states: bool = False,
        typed_state: bool = False,
    ) -> None:
        self._send = send
        self._whole_chunks, self._typed_state = whole_chunks, typed_state
        self._writers: dict[str, ChunkWriter] = {}
        self.states = states and send is not None
        self._seq = 0
        self._lock = asyncio.Lock()
        self._started: set[str] = set()
        self._finished: set[str] = set(known)
        self._calls: dict[str, str] = {}
        self._answered: set[str] = set()

    @property
    def streams(self) -> bool:
        return self._send is not None

    async def chunk(self, chunk: AIMessage, node: str = "") -> None:
        """A piece of a message, or a whole one of a model that does not stream; `node` is the graph's that it comes from."""
        message_id = chunk.id or ""
        if not message_id or message_id in self._finished or (is_empty(chunk) and message_id not in self._started):
            return
        await self._start(message_id, payload_pb2.ROLE_ASSISTANT, node)
        delta = agent_pb2.ContentDelta(message_id=message_id, text=text_of(chunk.content))
        if self._whole_chunks and isinstance(chunk, AIMessageChunk) and not is_plain(chunk):
            writer = self._writers.setdefault(message_id, ChunkWriter())
            delta.chunk.CopyFrom(writer.write(chunk))
        if delta.HasField("chunk") or (delta.text and self._in_deltas(chunk)):
            await self._event(content_delta=delta)

    async def message(self, message: BaseMessage, node: str = "") -> None:
        """A whole message that the run added."""
        if isinstance(message, ToolMessage):
            await self.tool_finished(message, node)
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
        await self._start(message.id, wire.role, node)
        text = text_of(message.content)
        if text and not streamed and self._in_deltas(message):
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

    async def tool_output(self, tool_call_id: str, data_json: bytes, name: str = "") -> None:
        """Something that a tool reported while it runs; `name` is that of a custom event."""
        output = agent_pb2.ToolOutput(tool_call_id=tool_call_id, data_json=data_json, name=name)
        await self._event(tool_output=output)

    async def tool_finished(self, message: ToolMessage, node: str = "") -> None:
        call_id = message.tool_call_id
        if call_id in self._answered or (message.id or "") in self._finished:
            return
        self._answered.add(call_id)
        wire = _written(message)
        if wire is None:
            return
        name = message.name or self._calls.get(call_id, "")
        await self.tool_started(call_id, name, b"{}")
        finished = agent_pb2.ToolFinished(tool_call_id=call_id, name=name, message=wire, node=node)
        await self._event(tool_finished=finished)

    async def updated(
        self,
        node: str,
        update: Any,
        messages: Iterable[BaseMessage] = (),
        changed: Iterable[BaseMessage] = (),
    ) -> None:
        """A node of the graph ran; `update` is what it changed beside `messages`, None where it gave nothing. `changed` are
        those of the messages that are not as they were told."""
        written = b"" if update is None else write_state(update, self._typed_state)
        event = agent_pb2.StateUpdated(node=node, update_json=written, changed=_all_written(changed))
        for message in messages:
            (event.removed_ids if message.type == "remove" else event.message_ids).append(message.id or "")
        await self._event(state_updated=event)

    async def reached(self, state: Any, messages: Iterable[BaseMessage], changed: Iterable[BaseMessage]) -> None:
        """The graph's state after a step; to be told only where `states` is set."""
        ids = [message.id or "" for message in messages]
        written = write_state(state, self._typed_state)
        event = agent_pb2.StateReached(state_json=written, message_ids=ids, changed=_all_written(changed))
        await self._event(state_reached=event)

    async def custom(self, data: Any) -> None:
        """Something that the agent's own code reported."""
        await self._event(custom=agent_pb2.Custom(data_json=dumps_marked(data)))

    def result(
        self,
        answer: BaseMessage | None,
        added: list[BaseMessage],
        usage: payload_pb2.Usage,
        state: Any,
        conversation: Iterable[BaseMessage] = (),
    ) -> agent_pb2.RunFinished:
        """The terminal event's content. `state` is the rest of the final state, a dict; `conversation` is given where it is
        not what the caller gave and then `added`."""
        result = agent_pb2.RunFinished(messages=_all_written(added), conversation=_all_written(conversation))
        if answer is not None:
            result.message.CopyFrom(to_message(answer))
        if usage.total_tokens:
            result.usage.CopyFrom(usage)
        if state:
            result.state_json = write_state(state, self._typed_state)
        return result

    async def run_finished(self, result: agent_pb2.RunFinished) -> None:
        await self._event(run_finished=result)

    def _in_deltas(self, message: BaseMessage) -> bool:
        """Whether its text is told in deltas: always a chunk's, and a whole message's for who reads only deltas."""
        return isinstance(message, AIMessageChunk) or not self._whole_chunks

    async def _start(self, message_id: str, role: payload_pb2.Role, node: str) -> None:
        if message_id not in self._started:
            self._started.add(message_id)
            started = agent_pb2.MessageStarted(message_id=message_id, role=role, node=node)
            await self._event(message_started=started)

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


def is_plain(chunk: AIMessageChunk) -> bool:
    """Whether a chunk says nothing but a plain text."""
    more = chunk.tool_call_chunks or chunk.usage_metadata or chunk.response_metadata or chunk.additional_kwargs
    return isinstance(chunk.content, str) and not more and not chunk.name


def _written(message: BaseMessage) -> payload_pb2.Message | None:
    """The message on the wire; None for what is no message of the conversation, such as LangGraph's RemoveMessage."""
    try:
        role_of(message)
    except ConvertError:
        return None
    return to_message(message)


def _all_written(messages: Iterable[BaseMessage]) -> list[payload_pb2.Message]:
    return [wire for message in messages if (wire := _written(message)) is not None]
