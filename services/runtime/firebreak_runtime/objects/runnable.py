"""Runs any other Runnable as an agent: a chain, a wrapped graph, a chat model."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from firebreak.v1 import agent_pb2
from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables import Runnable

from firebreak_runtime.convert import text_of, total_usage
from firebreak_runtime.json_values import dumps_marked
from firebreak_runtime.objects.job import Job
from firebreak_runtime.objects.journal import Journal
from firebreak_runtime.objects.shared import invalid


class RunnableDriver:
    """Follows a Runnable by LangChain's events.

    It is given {"messages", "input", "chat_history"} and the state, or the messages themselves where it begins with a model.
    Its answer is a message, a text, or an object with "messages", "output" or "answer".
    """

    def __init__(self, agent: Runnable[Any, Any]) -> None:
        self._agent = agent

    async def run(self, job: Job, journal: Journal) -> agent_pb2.RunFinished:
        given = self._input(job)
        if not journal.streams:
            return _result(await self._agent.ainvoke(given, job.config), job, journal)
        root, output = "", None
        stream: Any = self._agent.astream_events(given, job.config, version="v2")
        async with aclosing(stream) as events:
            async for event in events:
                root = root or event["run_id"]
                if event["event"].endswith("_end") and event["run_id"] == root:
                    output = event["data"]["output"]
                await _tell(journal, event)
        return _result(output, job, journal)

    def _input(self, job: Job) -> Any:
        first: Any = self._agent
        while True:
            inner = getattr(first, "first", None) or getattr(first, "bound", None)
            if not isinstance(inner, Runnable):
                break
            first = inner
        if not job.messages:
            raise invalid("input.messages", "there is no message")
        if isinstance(first, BaseLanguageModel):
            return job.messages
        *before, last = job.messages
        return {**job.state, "messages": job.messages, "input": text_of(last.content), "chat_history": before}


async def _tell(journal: Journal, event: Any) -> None:
    kind, data = event["event"], event["data"]
    if kind == "on_chat_model_stream":
        await journal.chunk(data["chunk"])
    elif kind == "on_chat_model_end" and isinstance(data["output"], BaseMessage):
        await journal.message(data["output"])
    elif kind == "on_tool_end":
        output = data["output"]
        if not isinstance(output, ToolMessage):
            text = output if isinstance(output, str) else dumps_marked(output).decode()
            status = "error" if getattr(output, "tool_failed", False) else "success"
            output = ToolMessage(content=text, tool_call_id=event["run_id"], name=event["name"], status=status)
            await journal.tool_started(event["run_id"], event["name"], dumps_marked(data.get("input") or {}))
        await journal.tool_finished(output)


def _result(output: Any, job: Job, journal: Journal) -> agent_pb2.RunFinished:
    given = {message.id for message in job.messages}
    state = dict(output) if isinstance(output, dict) else {}
    listed = state.pop("messages", output if isinstance(output, list) else [])
    added = [m for m in listed if isinstance(m, BaseMessage) and m.id not in given] if isinstance(listed, list) else []
    if isinstance(output, BaseMessage):
        added = [output]
    if not added:
        added = [AIMessage(content=_text(state, output))]
    rest = {name: value for name, value in state.items() if name not in ("input", "chat_history")}
    return journal.result(added[-1], added, total_usage(m for m in added if isinstance(m, AIMessage)), rest)


def _text(state: dict[str, Any], output: Any) -> str:
    found = next((state.pop(name) for name in ("output", "answer") if name in state), output)
    return found if isinstance(found, str) else dumps_marked(found).decode()
