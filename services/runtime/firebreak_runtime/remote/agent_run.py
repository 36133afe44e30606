"""One run of a remote agent: its events as LangChain's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from firebreak.v1 import agent_pb2, payload_pb2
from langchain_core.messages import AIMessageChunk, BaseMessage, RemoveMessage

from firebreak_runtime.chunks import read_chunk
from firebreak_runtime.convert import ConvertError, from_message
from firebreak_runtime.json_values import JsonError, loads, loads_object
from firebreak_runtime.remote.agent_input import Asked
from firebreak_runtime.remote.failures import Failure, RemoteError
from firebreak_runtime.state_json import StateError, from_json


@dataclass(frozen=True)
class Started:
    """The agent began to say something."""

    message_id: str


@dataclass(frozen=True)
class Chunk:
    """A piece of what it says."""

    message: AIMessageChunk
    node: str


@dataclass(frozen=True)
class Said:
    """A whole message, a tool's too. `chunks` tells whether it came in pieces before."""

    message: BaseMessage
    node: str
    chunks: bool


@dataclass(frozen=True)
class Calls:
    """A tool is called."""

    tool_call_id: str
    name: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Updated:
    """A node ran; what it changed, or None."""

    node: str
    update: dict[str, Any] | None


@dataclass(frozen=True)
class Reached:
    """The state after a step."""

    state: dict[str, Any]


@dataclass(frozen=True)
class Reported:
    """Something that the agent's code or one of its tools wrote to the stream."""

    data: Any


@dataclass(frozen=True)
class Dispatched:
    """A custom event of one of its tools."""

    tool_call_id: str
    name: str
    data: Any


@dataclass(frozen=True)
class Finished:
    """The final state; `added` are the messages that the run added."""

    state: dict[str, Any]
    added: tuple[BaseMessage, ...] = ()


Happening = Started | Chunk | Said | Calls | Updated | Reached | Reported | Dispatched | Finished


class Run:
    """Reads the events of one run. What breaks the contract is raised as a RemoteError CONTRACT_VIOLATED."""

    def __init__(self, target: str, asked: Asked) -> None:
        self._target = target
        self._given = asked.messages
        self._known = {message.id or "": message for message in asked.messages}
        self._nodes: dict[str, str] = {}
        self._in_chunks: set[str] = set()
        self._finished = False
        self._readers: Mapping[str, Callable[[Any], Happening | None]] = {
            "message_started": self._message_started,
            "content_delta": self._content_delta,
            "message_finished": self._message_finished,
            "tool_started": self._tool_started,
            "tool_output": self._tool_output,
            "tool_finished": self._tool_finished,
            "state_updated": self._state_updated,
            "custom": self._custom,
            "state_reached": self._state_reached,
            "run_finished": self._run_finished,
        }

    def take(self, event: agent_pb2.AgentServiceRunResponse) -> Happening | None:
        """What an event says; None for what is of no interest here or not known."""
        kind = event.WhichOneof("event") or ""
        read = self._readers.get(kind)
        try:
            return read(getattr(event, kind)) if read else None
        except (ConvertError, JsonError, StateError) as error:
            self.violated(str(error))

    def finished(self, result: agent_pb2.RunFinished) -> dict[str, Any]:
        """The final state of a run, told by its last event or by Invoke."""
        try:
            return self._run_finished(result).state
        except (ConvertError, JsonError, StateError) as error:
            self.violated(str(error))

    def check(self) -> None:
        """After the last event."""
        if not self._finished:
            self.violated("the run ended without its end being told")

    def violated(self, why: str) -> NoReturn:
        message = f"the agent's answer is not usable: {why}"
        raise RemoteError(Failure(self._target, "CONTRACT_VIOLATED", message)) from None

    def _message_started(self, event: agent_pb2.MessageStarted) -> Happening | None:
        self._nodes[event.message_id] = event.node
        return Started(event.message_id) if event.role == payload_pb2.ROLE_ASSISTANT else None

    def _content_delta(self, event: agent_pb2.ContentDelta) -> Chunk:
        self._in_chunks.add(event.message_id)
        whole = event.HasField("chunk")
        message = read_chunk(event.chunk) if whole else AIMessageChunk(content=event.text, id=event.message_id)
        return Chunk(message, self._nodes.get(event.message_id, ""))

    def _message_finished(self, event: agent_pb2.MessageFinished) -> Said:
        message = self._keep(from_message(event.message))
        message_id = message.id or ""
        return Said(message, self._nodes.get(message_id, ""), message_id in self._in_chunks)

    def _tool_started(self, event: agent_pb2.ToolStarted) -> Calls:
        return Calls(event.tool_call_id, event.name, _args(event.args_json))

    def _tool_output(self, event: agent_pb2.ToolOutput) -> Reported | Dispatched:
        if event.name:
            return Dispatched(event.tool_call_id, event.name, loads_object(event.data_json).get("data"))
        return Reported(loads(event.data_json))

    def _tool_finished(self, event: agent_pb2.ToolFinished) -> Said:
        return Said(self._keep(from_message(event.message)), event.node, False)

    def _state_updated(self, event: agent_pb2.StateUpdated) -> Updated:
        for wire in event.changed:
            self._keep(from_message(wire))
        removed = [RemoveMessage(id=message_id) for message_id in event.removed_ids]
        messages: list[BaseMessage] = [*removed, *self._messages(event.message_ids)]
        changed = _state(event.update_json)
        if messages:
            changed["messages"] = messages
        return Updated(event.node, changed if messages or event.update_json else None)

    def _custom(self, event: agent_pb2.Custom) -> Reported:
        return Reported(loads(event.data_json))

    def _state_reached(self, event: agent_pb2.StateReached) -> Reached:
        for wire in event.changed:
            self._keep(from_message(wire))
        return Reached({"messages": self._messages(event.message_ids), **_state(event.state_json)})

    def _run_finished(self, event: agent_pb2.RunFinished) -> Finished:
        self._finished = True
        whole = [from_message(wire) for wire in event.conversation]
        added = [from_message(wire) for wire in event.messages]
        state = {"messages": whole or [*self._given, *added], **_state(event.state_json)}
        return Finished(state, tuple(added))

    def _messages(self, ids: Any) -> list[BaseMessage]:
        return [self._known[message_id] for message_id in ids if message_id in self._known]

    def _keep(self, message: BaseMessage) -> BaseMessage:
        self._known[message.id or ""] = message
        return message


def last_chunk(message: BaseMessage) -> AIMessageChunk | None:
    """What ends the chunks of a message: from 1.0 on LangChain marks the last one."""
    if "chunk_position" not in AIMessageChunk.model_fields:
        return None
    fields: dict[str, Any] = {"content": type(message.content)(), "chunk_position": "last"}
    return AIMessageChunk(id=message.id, **fields)


def _state(data: bytes) -> dict[str, Any]:
    return {name: from_json(value, name) for name, value in loads_object(data).items()}


def _args(data: bytes) -> dict[str, Any]:
    """The arguments; those that a model wrote wrongly are none."""
    try:
        return loads_object(data)
    except JsonError:
        return {}
