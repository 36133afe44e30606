"""Requests from plain Python values, and answers as plain Python values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from firebreak.v1 import agent_pb2, payload_pb2, tool_pb2

ROLES = {
    "system": payload_pb2.ROLE_SYSTEM,
    "user": payload_pb2.ROLE_USER,
    "assistant": payload_pb2.ROLE_ASSISTANT,
    "tool": payload_pb2.ROLE_TOOL,
}


@dataclass(frozen=True)
class Answer:
    """What a tool answered: `ok` unless the tool itself failed, `text` for people and models, `artifact` bytes beside it."""

    ok: bool
    text: str
    artifact: bytes = b""
    media_type: str = ""


@dataclass(frozen=True)
class RunEvent:
    """One event of an agent's run: its `kind` as in firebreak/v1/agent.proto, e.g. "content_delta", and its message."""

    seq: int
    kind: str
    message: Any

    @property
    def text(self) -> str:
        """The words of this event: a delta's text, a message's content; "" for events without words."""
        if self.kind == "content_delta":
            return str(self.message.text)
        if self.kind in ("message_finished", "tool_finished", "run_finished"):
            return text_of(self.message.message)
        return ""


def text_of(message: Any) -> str:
    """The text blocks of a message or a tool result, joined."""
    return "".join(block.text for block in message.content if block.WhichOneof("block") == "text")


def tool_call(target: str, args: Mapping[str, Any] | str | bytes, idempotency_key: str) -> tool_pb2.ToolCall:
    """`args` as a mapping, or as JSON that is sent as it is."""
    encoded = json.dumps(args, ensure_ascii=False, allow_nan=False) if isinstance(args, Mapping) else args
    raw = encoded.encode() if isinstance(encoded, str) else encoded
    return tool_pb2.ToolCall(target=target, args_json=raw, idempotency_key=idempotency_key)


def agent_input(target: str, messages: str | Iterable[tuple[str, str]]) -> agent_pb2.AgentInput:
    """`messages` as one user's text, or as (role, text) pairs with the roles system, user and assistant."""
    pairs = [("user", messages)] if isinstance(messages, str) else list(messages)
    return agent_pb2.AgentInput(target=target, messages=[_message(role, text) for role, text in pairs])


def _message(role: str, text: str) -> payload_pb2.Message:
    if role not in ROLES:
        raise ValueError(f"role {role!r} is none of {', '.join(ROLES)}")
    return payload_pb2.Message(role=ROLES[role], content=[payload_pb2.ContentBlock(text=text)])


def answer(result: tool_pb2.ToolResult) -> Answer:
    ok = result.status == tool_pb2.TOOL_STATUS_OK
    return Answer(ok, text_of(result) if ok else result.error_message, result.artifact.data, result.artifact.media_type)


def run_event(response: agent_pb2.AgentServiceRunResponse) -> RunEvent:
    kind = response.WhichOneof("event") or ""
    return RunEvent(response.seq, kind, getattr(response, kind, None))
