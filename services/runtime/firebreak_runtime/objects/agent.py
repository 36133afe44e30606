"""Serves an agent: methods Invoke and Run."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from firebreak.v1 import agent_pb2
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable

from firebreak_runtime.context import current
from firebreak_runtime.errors import LoadError, ServedError
from firebreak_runtime.objects.agent_state import read_state
from firebreak_runtime.objects.drivers import driver_for
from firebreak_runtime.objects.entrypoint import Entrypoint, find, first_paragraph
from firebreak_runtime.objects.framework import framework
from firebreak_runtime.objects.job import Driver, Job
from firebreak_runtime.objects.journal import Journal
from firebreak_runtime.objects.prompt import read_messages
from firebreak_runtime.objects.shared import AsyncEmit, Emit, choose_mode, invalid, parse, unknown_method
from firebreak_runtime.remote.failures import RemoteError
from firebreak_runtime.remote.listener import listener
from firebreak_runtime.served import WorkerEnv
from firebreak_runtime.service_file import ServiceFile

_log = logging.getLogger(__name__)

Build = Callable[[Any, list[Any]], Any]


def load(service: ServiceFile) -> ServedAgent:
    """The agent that the entrypoint names. Raises LoadError where it is none."""
    entrypoint = find(service)
    value = entrypoint.value
    if isinstance(value, Runnable):
        if service.uses_tools or service.uses_models:
            raise LoadError(
                f"entrypoint {entrypoint.name} is a finished {type(value).__qualname__}, so what the service uses would not "
                "reach it; name a function build(model, tools) that returns the agent"
            )
        return ServedAgent(service, entrypoint, None)
    if not inspect.isfunction(value) or not _takes_two(value):
        raise LoadError(f"entrypoint {entrypoint.name} is neither a Runnable nor a function build(model, tools)")
    return ServedAgent(service, entrypoint, value)


class ServedAgent:
    """An agent. Built in the worker, with proxies that call through the gateway; a failing model or a bug ends its call."""

    def __init__(self, service: ServiceFile, entrypoint: Entrypoint, build: Build | None) -> None:
        self._service, self._entrypoint, self._build = service, entrypoint, build
        self._driver: Driver | None = None if build else driver_for(entrypoint.value)
        self.mode = choose_mode(service, own_coroutine=True)

    def describe(self) -> bytes:
        own = first_paragraph(inspect.getdoc(self._build)) if self._build else ""
        spec = agent_pb2.AgentSpec(
            name=self._service.name,
            description=own or self._entrypoint.description(),
            framework=framework(),
            version=self._service.version,
            tools=self._service.uses_tools,
            model=next(iter(self._service.uses_models), ""),
            models=self._service.uses_models,
        )
        return agent_pb2.AgentServiceDescribeResponse(spec=spec).SerializeToString()

    def warm(self) -> None:
        """Builds the agent with stand-ins and runs it once, so that the worker's first call finds everything imported."""
        from firebreak_runtime.objects.stand_ins import stand_ins

        if self._build is None:
            return
        model, tools = stand_ins(self._service)
        try:
            driver = driver_for(_built(self._build, model, tools))
            asyncio.run(driver.run(_job([_hello()], {}), Journal(_nowhere)))
        except Exception:
            # Stand-ins are not the real thing: an agent that needs more of them is built without this.
            _log.debug("the dummy pass failed", exc_info=True)

    async def start(self, env: WorkerEnv) -> tuple[str, ...]:
        """Builds the agent with what is there. Raises LoadError where the function returns no agent."""
        if self._build is None:
            return ()
        from firebreak_runtime.remote.connect import connect

        proxies = await connect(env)
        names = [tool.name for tool in proxies.tools]
        if len(set(names)) < len(names):
            raise LoadError(f"two of the tools that the agent uses have the same name: {', '.join(sorted(names))}")
        self._driver = driver_for(_built(self._build, proxies.model, list(proxies.tools)))
        return proxies.missing

    def call(self, method: str, request: bytes, emit: Emit) -> None:
        async def emit_on_loop(message: bytes) -> None:
            emit(message)

        asyncio.run(self.acall(method, request, emit_on_loop))

    async def acall(self, method: str, request: bytes, emit: AsyncEmit) -> None:
        if method == "Invoke":
            given = parse(agent_pb2.AgentServiceInvokeRequest, request).input
            result = await self._run(_read(given), Journal(None, typed_state=given.typed_state))
            await emit(agent_pb2.AgentServiceInvokeResponse(result=result).SerializeToString())
        elif method == "Run":
            asked = parse(agent_pb2.AgentServiceRunRequest, request)
            job = _read(asked.input)
            await self._run(job, _journal(asked, job, emit))
        else:
            raise unknown_method(method, "agent")

    async def _run(self, job: Job, journal: Journal) -> agent_pb2.RunFinished:
        if self._driver is None:
            raise ServedError("TARGET_NOT_READY", "the agent is not built yet")
        told = listener.set(journal if journal.streams else None)
        try:
            result = await self._driver.run(job, journal)
        except RemoteError as error:
            raise _child_failed(error) from None
        finally:
            listener.reset(told)
        await journal.run_finished(result)
        return result


def _takes_two(build: Any) -> bool:
    try:
        inspect.signature(build).bind(None, [])
    except TypeError:
        return False
    return True


def _built(build: Build, model: Any, tools: list[Any]) -> Runnable[Any, Any]:
    agent = build(model, tools)
    if not isinstance(agent, Runnable):
        raise LoadError(f"{build.__name__}(model, tools) returned a {type(agent).__qualname__}; an agent is a Runnable")
    return agent


def _read(wire: agent_pb2.AgentInput) -> Job:
    state = read_state(wire.state_json, wire.typed_state, "input.state")
    if "messages" in state:
        raise invalid("input.state.messages", "messages are given in input.messages")
    alone = state and not wire.messages  # a graph of its own shape may need no message
    return _job([] if alone else read_messages(wire.messages, "input.messages"), state)


def _journal(asked: agent_pb2.AgentServiceRunRequest, job: Job, emit: AsyncEmit) -> Journal:
    return Journal(
        emit,
        known=frozenset(message.id or "" for message in job.messages),
        whole_chunks=asked.whole_chunks,
        states=asked.states,
        typed_state=asked.input.typed_state,
    )


def _job(messages: list[BaseMessage], state: dict[str, Any]) -> Job:
    for message in messages:
        message.id = message.id or str(uuid4())
    context = current.get(None)
    # A graph with a checkpointer needs a thread; one for each call, since a worker remembers nothing between calls.
    thread = (context.call_id if context else "") or str(uuid4())
    return Job(messages, state, {"configurable": {"thread_id": thread}})


def _child_failed(error: RemoteError) -> ServedError:
    """A call that the agent depends on failed: the caller learns which and why, but not that a retry might help."""
    failure = error.failure
    return ServedError(
        "AGENT_FAILED",
        f"the agent's call to {failure.target} failed with {failure.reason}: {failure.message}",
        metadata={"cause": failure.reason, "cause_target": failure.target},
    )


def _hello() -> BaseMessage:
    from langchain_core.messages import HumanMessage

    return HumanMessage("hello")


async def _nowhere(_: bytes) -> None:
    """Where the events of the dummy pass go."""
