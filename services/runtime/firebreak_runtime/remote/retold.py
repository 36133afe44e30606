"""A remote agent's run, retold to LangChain's callbacks: its model and its tools report as those of a local agent do.

Tracers, token counters and LangGraph's stream mode "messages" around the agent see them. The prompt that is told is what the
run has said so far: the agent's own instructions stay with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult

from firebreak_runtime.convert import text_of
from firebreak_runtime.json_values import dumps
from firebreak_runtime.remote.agent_input import Asked
from firebreak_runtime.remote.agent_run import Calls, Chunk, Dispatched, Happening, Said, Started, last_chunk

_CUSTOM = "on_custom_event"
_ENDS = frozenset({"on_llm_end", "on_llm_error", "on_tool_end", "on_tool_error"})


@dataclass(frozen=True)
class Step:
    """One thing to tell: the start of a run to the manager, anything else to or about the run that `key` started."""

    key: str
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


class Story:
    """The steps of one run, in order."""

    def __init__(self, target: str, asked: Asked) -> None:
        self._target = target
        self._said: list[BaseMessage] = list(asked.messages)
        self._open: dict[str, str] = {}

    def steps(self, happening: Happening) -> Iterator[Step]:
        if isinstance(happening, Started):
            self._open[happening.message_id] = "on_llm_error"
            kwargs = {"name": self._target, "invocation_params": {}}
            yield Step(
                happening.message_id, "on_chat_model_start", ({"name": self._target}, [list(self._said)]), kwargs
            )
        elif isinstance(happening, Chunk):
            yield from self._chunk(happening.message)
        elif isinstance(happening, Calls):
            self._open[happening.tool_call_id] = "on_tool_error"
            named, text = {"name": happening.name}, dumps(happening.args).decode()
            yield Step(happening.tool_call_id, "on_tool_start", (named, text), {**named, "inputs": happening.args})
        elif isinstance(happening, Dispatched):
            yield Step(happening.tool_call_id, _CUSTOM, (happening.name, happening.data))
        elif isinstance(happening, Said):
            yield from self._whole(happening)

    def failed(self, error: BaseException) -> Iterator[Step]:
        """The run broke off: what had begun failed."""
        for key, method in reversed(self._open.items()):
            yield Step(key, method, (error,))
        self._open.clear()

    def _chunk(self, message: AIMessageChunk) -> Iterator[Step]:
        if message.id in self._open:
            chunk = ChatGenerationChunk(message=message)
            yield Step(message.id or "", "on_llm_new_token", (text_of(message.content),), {"chunk": chunk})

    def _whole(self, said: Said) -> Iterator[Step]:
        message = said.message
        self._said.append(message)
        key = message.tool_call_id if isinstance(message, ToolMessage) else message.id or ""
        if key not in self._open:
            return
        last = last_chunk(message) if said.chunks else None
        if last is not None:
            yield from self._chunk(last)
        del self._open[key]
        if isinstance(message, ToolMessage):
            yield Step(key, "on_tool_end", (message,))
        elif isinstance(message, AIMessage):
            yield Step(key, "on_llm_end", (LLMResult(generations=[[ChatGeneration(message=message)]]),))


class Teller:
    """Tells sync callbacks."""

    def __init__(self, manager: CallbackManager) -> None:
        self._manager = manager
        self._runs: dict[str, Any] = {}

    def tell(self, steps: Iterator[Step]) -> None:
        for step in steps:
            told = _hearer(self._manager, self._runs, step)(*step.args, **step.kwargs)
            _remember(self._runs, step, told)


class AsyncTeller:
    """Tells callbacks on an event loop."""

    def __init__(self, manager: AsyncCallbackManager) -> None:
        self._manager = manager
        self._runs: dict[str, Any] = {}

    async def tell(self, steps: Iterator[Step]) -> None:
        for step in steps:
            told = await _hearer(self._manager, self._runs, step)(*step.args, **step.kwargs)
            _remember(self._runs, step, told)


def _hearer(manager: Any, runs: dict[str, Any], step: Step) -> Any:
    """The method that takes the step."""
    run = runs.get(step.key)
    if run is not None and step.method == _CUSTOM:
        return partial(run.get_child().on_custom_event, run_id=run.run_id)
    return getattr(run or manager, step.method)


def _remember(runs: dict[str, Any], step: Step, told: Any) -> None:
    """Keeps a run that was started, forgets one that ended. A model's start gives a list of one."""
    if step.method.endswith("_start"):
        runs[step.key] = told[0] if isinstance(told, list) else told
    elif step.method in _ENDS:
        runs.pop(step.key, None)
