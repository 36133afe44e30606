"""Who wants to know what remote tools do while they run."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Told of a remote tool's run, in the task that runs it."""

    async def tool_started(self, tool_call_id: str, name: str, args_json: bytes) -> None: ...

    async def tool_output(self, tool_call_id: str, data_json: bytes, name: str = "") -> None:
        """Something that the tool reported; any JSON value. `name` is that of a custom event."""
        ...


listener: ContextVar[Listener | None] = ContextVar("firebreak_listener", default=None)
"""Set around an agent's streamed run. Where nobody listens tools are called without a stream, which costs less."""

tool_call_id: ContextVar[str] = ContextVar("firebreak_tool_call_id", default="")
"""The model's id of the tool call that runs here. LangChain gives it to `run` but not to `_run`; an AgentExecutor gives it to
neither, so its driver sets it."""
