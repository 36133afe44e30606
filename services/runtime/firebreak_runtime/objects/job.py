"""One run of an agent, and what runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from firebreak.v1 import agent_pb2
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from firebreak_runtime.objects.journal import Journal


@dataclass(frozen=True)
class Job:
    """One run: the caller's messages (each with an id), further state, and the configuration for LangChain."""

    messages: list[BaseMessage]
    state: dict[str, Any]
    config: RunnableConfig


class Driver(Protocol):
    """Runs one kind of agent."""

    async def run(self, job: Job, journal: Journal) -> agent_pb2.RunFinished:
        """Runs the agent to its end. Tells the journal what happens where `journal.streams`."""
        ...
