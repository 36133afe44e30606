"""Serves a LangChain tool: methods Call and Stream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firebreak.v1 import tool_pb2
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool

from firebreak_runtime.context import current
from firebreak_runtime.objects import schema
from firebreak_runtime.objects.entrypoint import Entrypoint, expect, find
from firebreak_runtime.objects.fill import fill
from firebreak_runtime.objects.framework import framework
from firebreak_runtime.objects.injection import call_ids, declared
from firebreak_runtime.objects.outcome import failure_of, result_of, value_of
from firebreak_runtime.objects.progress import AsyncProgress, Events, SyncProgress, Writer, nowhere
from firebreak_runtime.objects.shared import (
    AsyncEmit,
    Emit,
    Standalone,
    choose_mode,
    invalid,
    is_own,
    json_object,
    parse,
    unknown_method,
)
from firebreak_runtime.service_file import ServiceFile

if TYPE_CHECKING:
    from firebreak_runtime.objects.snapshot_store import SnapshotStore


@dataclass(frozen=True)
class Run:
    """One run of the tool, as LangChain takes it."""

    given: dict[str, Any]
    config: RunnableConfig
    tool_call_id: str
    wants_value: bool = False
    store: SnapshotStore | None = None


def load(service: ServiceFile) -> ServedTool:
    """The tool that the entrypoint names. Raises LoadError where it is none."""
    entrypoint = find(service)
    expect(entrypoint, BaseTool, "a LangChain tool (a function with @tool, or a BaseTool)")
    return ServedTool(service, entrypoint)


class ServedTool(Standalone):
    """A tool. What it raises is its result (TOOL_ERROR), not an error of the call; MemoryError passes through."""

    def __init__(self, service: ServiceFile, entrypoint: Entrypoint) -> None:
        self._service = service
        self._tool: BaseTool = entrypoint.value
        self._schema = schema.input_schema(self._tool)
        self._injected = declared(self._tool, service)
        self._call_ids = call_ids(self._tool)
        self._hidden = frozenset(one.name for one in self._injected) | self._call_ids
        self._has_sync = getattr(self._tool, "func", True) is not None
        self.mode = choose_mode(service, _has_coroutine(self._tool))

    def describe(self) -> bytes:
        spec = tool_pb2.ToolSpec(
            name=self._tool.name,
            description=self._tool.description,
            input_schema_json=self._schema,
            output_schema_json=schema.output_schema(self._tool),
            effect=f"EFFECT_{self._service.effect or 'UNSPECIFIED'}",
            schema_sha256=schema.sha256(self._schema),
            framework=framework(),
            version=self._service.version,
            injected=[one.wire for one in self._injected],
            return_direct=self._tool.return_direct,
        )
        return tool_pb2.ToolServiceDescribeResponse(spec=spec).SerializeToString()

    def warm(self) -> None:
        """Runs a harmless tool of our own the way that this one will run: its first call would cost 60 ms otherwise."""
        call = {"type": "tool_call", "id": "warm", "name": "warm", "args": {"text": "warm"}}
        warm = StructuredTool.from_function(_echo, coroutine=_aecho, name="warm", description="warm")
        output = warm.invoke(call) if self.mode == "sync" else asyncio.run(warm.ainvoke(call))
        _response(result_of(output, warm, "warm"))

    def call(self, method: str, request: bytes, emit: Emit) -> None:
        call, streams = _read(method, request)
        if not streams:
            emit(_response(self._run(self._prepare(call, None, nowhere))))
            return
        events = Events()
        progress = SyncProgress(events, emit)
        emit(events.result(self._run(self._prepare(call, progress, progress.write))))

    async def acall(self, method: str, request: bytes, emit: AsyncEmit) -> None:
        call, streams = _read(method, request)
        if not streams:
            await emit(_response(await self._arun(self._prepare(call, None, nowhere))))
            return
        events = Events()
        progress = AsyncProgress(events, emit)
        result = await self._arun(self._prepare(call, progress, progress.write))
        await progress.settle()
        await emit(events.result(result))

    def _run(self, run: Run) -> tool_pb2.ToolResult:
        if not self._has_sync:
            return asyncio.run(self._arun(run))
        try:
            output = self._tool.invoke(run.given, run.config)
        except MemoryError:
            raise
        except Exception as error:
            return _with_writes(failure_of(error, self._tool), run)
        return self._finished(output, run)

    async def _arun(self, run: Run) -> tool_pb2.ToolResult:
        try:
            output = await self._tool.ainvoke(run.given, run.config)
        except MemoryError:
            raise
        except Exception as error:
            return _with_writes(failure_of(error, self._tool), run)
        return self._finished(output, run)

    def _finished(self, output: Any, run: Run) -> tool_pb2.ToolResult:
        if run.wants_value:
            return _with_writes(value_of(output, run.tool_call_id), run)
        return _with_writes(result_of(output, self._tool, run.tool_call_id), run)

    def _prepare(self, call: tool_pb2.ToolCall, handler: BaseCallbackHandler | None, writer: Writer) -> Run:
        args = json_object(call.args_json, "args")
        for name in args:
            # Or a model could fill what only the agent may.
            if name in self._hidden:
                raise invalid(f"args.{name}", "the agent injects this argument; a caller cannot set it here")
        tool_call_id = call.tool_call_id or current_call_id()
        config: RunnableConfig = {"callbacks": [handler]} if handler else {}
        sent = json_object(call.injected_json, "injected")
        filled = fill(self._injected, sent, tool_call_id, config, writer)
        args.update(filled.args)
        if call.wants_value and not self._call_ids:
            return Run(args, config, tool_call_id, True, filled.store)
        given = {"type": "tool_call", "id": tool_call_id, "name": self._tool.name, "args": args}
        return Run(given, config, tool_call_id, False, filled.store)


def current_call_id() -> str:
    """The id of the running call; LangChain needs some id to answer with a whole message."""
    context = current.get(None)
    return (context.call_id if context else "") or "call"


def _with_writes(result: tool_pb2.ToolResult, run: Run) -> tool_pb2.ToolResult:
    """With what the tool wrote to the agent's store: a tool that fails later has written all the same."""
    if run.store is not None:
        result.store_writes.extend(run.store.writes)
    return result


def _has_coroutine(tool: BaseTool) -> bool:
    """Whether the tool's author wrote a coroutine; LangChain gives every tool one that runs the sync code on a thread."""
    coroutine = getattr(tool, "coroutine", None)
    if coroutine is not None:
        return is_own(coroutine)
    return is_own(type(tool)._arun)


def _read(method: str, request: bytes) -> tuple[tool_pb2.ToolCall, bool]:
    if method == "Call":
        return parse(tool_pb2.ToolServiceCallRequest, request).call, False
    if method == "Stream":
        return parse(tool_pb2.ToolServiceStreamRequest, request).call, True
    raise unknown_method(method, "tool")


def _response(result: tool_pb2.ToolResult) -> bytes:
    return tool_pb2.ToolServiceCallResponse(result=result).SerializeToString()


def _echo(text: str) -> str:
    return text


async def _aecho(text: str) -> str:
    return text
