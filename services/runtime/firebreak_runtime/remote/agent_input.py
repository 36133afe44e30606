"""What an agent is asked, from the ways in which LangGraph's agents take it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from firebreak.v1 import agent_pb2
from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue

from firebreak_runtime.convert import ConvertError, to_message
from firebreak_runtime.json_values import JsonError, dumps
from firebreak_runtime.state_json import StateError, to_json


@dataclass(frozen=True)
class Asked:
    """The conversation so far, each message with an id, and further state."""

    messages: list[BaseMessage]
    state: dict[str, Any]

    def wire(self, target: str) -> agent_pb2.AgentInput:
        """The input as the contract has it. Raises ValueError for what it cannot carry."""
        try:
            messages = [to_message(message) for message in self.messages]
        except ConvertError as error:
            raise ValueError(f"a message cannot be sent to the agent {target}: {error}") from None
        return agent_pb2.AgentInput(target=target, messages=messages, state_json=self._state(target), typed_state=True)

    def _state(self, target: str) -> bytes:
        try:
            written = {name: to_json(value, name) for name, value in self.state.items()}
            return dumps(written) if written else b""
        except (StateError, JsonError) as error:
            raise ValueError(f"the state cannot be sent to the agent {target}: {error}; see state_keys") from None


def read_input(given: Any, state_keys: Iterable[str] | None) -> Asked:
    """`given` is a text, a message, a list of them, a prompt, or a mapping with "messages" and further state.

    Of a mapping's further state only `state_keys` are taken, or all of it where that is None. The messages are copies.
    """
    state: dict[str, Any] = {}
    if isinstance(given, Mapping):
        wanted = None if state_keys is None else frozenset(state_keys)
        state = {name: value for name, value in given.items() if wanted is None or name in wanted}
        state.pop("messages", None)
        given = given.get("messages") or []
    elif isinstance(given, PromptValue):
        given = given.to_messages()
    listed = given if isinstance(given, (list, tuple)) and not _is_pair(given) else [given]
    return Asked([_with_id(message) for message in convert_to_messages(listed)], state)


def _is_pair(given: Any) -> bool:
    """Whether it is one message as LangChain's (role, text)."""
    return isinstance(given, tuple) and len(given) == 2 and all(isinstance(part, str) for part in given)


def _with_id(message: BaseMessage) -> BaseMessage:
    return message.model_copy(update={"id": message.id or str(uuid4())})
