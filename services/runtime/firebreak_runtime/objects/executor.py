"""Runs a classic AgentExecutor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import uuid4

from firebreak.v1 import agent_pb2
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import LLMResult
from typing_extensions import override

from firebreak_runtime.convert import text_of, total_usage
from firebreak_runtime.json_values import dumps_marked
from firebreak_runtime.objects.job import Job
from firebreak_runtime.objects.journal import Journal
from firebreak_runtime.objects.shared import invalid
from firebreak_runtime.remote.listener import tool_call_id

AGENT, TOOLS = "agent", "tools"
"""The steps of an executor, by the names that LangGraph's agents have for their nodes."""


class ExecutorDriver:
    """Follows an executor by its steps; a streamed run by LangChain's events, which also carry the model's chunks."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor

    async def run(self, job: Job, journal: Journal) -> agent_pb2.RunFinished:
        run = _Run(journal)
        given = classic_input(job)
        config: Any = {**job.config, "callbacks": [_Watch(run)]}
        if not journal.streams:
            async with aclosing(self._executor.astream(given, config)) as steps:
                async for step in steps:
                    await run.step(step)
            return run.result()
        async with aclosing(self._executor.astream_events(given, config, version="v2")) as events:
            await self._follow(events, run, journal)
        return run.result()

    async def _follow(self, events: AsyncIterator[dict[str, Any]], run: _Run, journal: Journal) -> None:
        root = ""
        async for event in events:
            root = root or event["run_id"]
            kind, data = event["event"], event["data"]
            if kind == "on_chat_model_stream":
                await journal.chunk(data["chunk"])
            elif kind == "on_chat_model_end":
                await journal.message(data["output"])
            elif kind == "on_chain_stream" and event["run_id"] == root:
                await run.step(data["chunk"])


class _Watch(AsyncCallbackHandler):
    """What an executor's steps do not show: the model's own messages, with their tokens; and for remote tools the model's id of
    the call, which an executor does not pass on."""

    run_inline = True
    """In the task that then runs the tool, or the context variable would be set elsewhere."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    @override
    async def on_agent_action(self, action: Any, **kwargs: Any) -> None:
        tool_call_id.set(self._run.call_id(action))

    @override
    async def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        for generation in response.generations[0] if response.generations else ():
            message = getattr(generation, "message", None)
            if isinstance(message, AIMessage):
                self._run.used[message.id or ""] = message


class _Run:
    """What was seen of one run: the messages that it added, and the ids of its tool calls."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._added: list[BaseMessage] = []
        self._actions: dict[int, tuple[Any, str]] = {}
        self.used: dict[str, AIMessage] = {}
        self._output: dict[str, Any] = {}

    def call_id(self, action: Any) -> str:
        """The model's id of an action, or one made up for agents that ask in text. The action is kept: ids of objects that are
        gone are given again."""
        made_up = f"{action.tool}-{len(self._actions) + 1}"
        return self._actions.setdefault(id(action), (action, getattr(action, "tool_call_id", None) or made_up))[1]

    async def step(self, step: dict[str, Any]) -> None:
        for action in step.get("actions", ()):
            await self._action(action)
        for done in step.get("steps", ()):
            await self._done(done)
        if "output" in step:
            self._output = {name: value for name, value in step.items() if name != "messages"}

    async def _action(self, action: Any) -> None:
        for message in action.messages:
            # Actions that a model asked for together share its message.
            if not message.id or message.id not in {known.id for known in self._added}:
                self._added.append(message)
                if message.id:  # a model that asks in text has none: what it said was told in its chunks
                    await self._journal.updated(AGENT, {}, [message])
        await self._journal.tool_started(self.call_id(action), action.tool, _args(action.tool_input))

    async def _done(self, step: Any) -> None:
        message = ToolMessage(
            id=str(uuid4()),
            content=_observed(step.observation),
            tool_call_id=self.call_id(step.action),
            name=step.action.tool,
            status="error" if getattr(step.observation, "tool_failed", False) else "success",
        )
        self._added.append(message)
        await self._journal.tool_finished(message, TOOLS)
        await self._journal.updated(TOOLS, {}, [message])

    def result(self) -> agent_pb2.RunFinished:
        output = self._output.pop("output", "")
        answer = self._last_answer(_observed(output))
        state = {name: value for name, value in self._output.items() if name not in ("input", "chat_history")}
        return self._journal.result(answer, [*self._added, answer], total_usage(self.used.values()), state)

    def _last_answer(self, output: Any) -> AIMessage:
        """The model's own message where it is the answer: it has an id and the tokens."""
        last = next(reversed(self.used.values()), None)
        return last if last is not None and text_of(last.content) == text_of(output) else AIMessage(content=output)


def classic_input(job: Job) -> dict[str, Any]:
    """The names that classic agents use: `input` is the user's last text, `chat_history` what was said before."""
    if not job.messages:
        raise invalid("input.messages", "there is no message")
    *before, last = job.messages
    if not isinstance(last, HumanMessage):
        raise invalid(f"input.messages[{len(before)}]", "this agent needs the user's message last")
    text = text_of(last.content)
    if not text:
        raise invalid(f"input.messages[{len(before)}]", "this agent takes text")
    return {**job.state, "input": text, "chat_history": before}


def _args(tool_input: Any) -> bytes:
    return dumps_marked(tool_input if isinstance(tool_input, dict) else {"input": tool_input})


def _observed(value: Any) -> Any:
    """A message's content of what a tool or an agent gave."""
    return value if isinstance(value, (str, list)) else dumps_marked(value).decode()
