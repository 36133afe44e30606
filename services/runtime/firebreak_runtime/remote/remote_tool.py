"""A tool in another process, as a LangChain tool."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import aclosing, closing
from contextvars import ContextVar
from typing import Any, Literal
from uuid import uuid4

from firebreak.v1 import payload_pb2, tool_pb2
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import Field
from typing_extensions import override

from firebreak_runtime.context import current
from firebreak_runtime.json_values import JsonError, dumps, loads_object
from firebreak_runtime.remote.audience import Audience
from firebreak_runtime.remote.failures import Failure, RemoteError
from firebreak_runtime.remote.gateway import Gateway, Rpc
from firebreak_runtime.remote.injection import asked_of_graph, collect, marked
from firebreak_runtime.remote.listener import tool_call_id
from firebreak_runtime.remote.tool_answer import output_of
from firebreak_runtime.remote.tool_failure import RemoteToolError, show, told_to_the_model

DESCRIBE = Rpc("/firebreak.v1.ToolService/Describe", tool_pb2.ToolServiceDescribeResponse)
CALL = Rpc("/firebreak.v1.ToolService/Call", tool_pb2.ToolServiceCallResponse)
STREAM = Rpc("/firebreak.v1.ToolService/Stream", tool_pb2.ToolServiceStreamResponse)


_handed: ContextVar[Mapping[str, Any]] = ContextVar("firebreak_handed")
"""What LangGraph injected into the call that runs here, by the tool's names. LangChain's own way to `_run` would show it to
callbacks."""


class RemoteTool(BaseTool):
    """Calls the tool of the service `target` through the gateway.

    Failures reach the model as a text (see `failures.for_model`); set `handle_tool_error` to False to get them raised as
    RemoteToolError. Arguments are checked by the service, against the schema that this proxy was made with.

    What the tool wants injected (`wanted`) LangGraph's ToolNode injects as into a local tool, and nothing else of the
    agent's state leaves it. A model cannot fill it: ToolNode hands it over under names that nobody knows.
    """

    target: str
    effect: int = payload_pb2.EFFECT_UNSPECIFIED
    schema_sha256: str = ""
    wanted: tuple[Any, ...] = Field(default=(), exclude=True, repr=False)
    mark: str = Field(default_factory=lambda: secrets.token_hex(8), exclude=True, repr=False)
    injected: dict[str, Any] = Field(default_factory=dict)
    gateway: Gateway = Field(exclude=True, repr=False)
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: Any = show

    @classmethod
    def from_spec(cls, spec: tool_pb2.ToolSpec, target: str, gateway: Gateway) -> RemoteTool:
        """The proxy of a described tool. Raises JsonError where its schema is no JSON object."""
        return cls(
            name=spec.name,
            description=spec.description,
            args_schema=schema_of(spec),
            target=target,
            effect=spec.effect,
            schema_sha256=spec.schema_sha256,
            wanted=tuple(spec.injected),
            return_direct=spec.return_direct,
            gateway=gateway,
        )

    def with_injected(self, **values: Any) -> RemoteTool:
        """The same tool with arguments that are injected into each call and no model sees, in place of what LangGraph gives."""
        return self.model_copy(update={"injected": {**self.injected, **values}})

    @override
    def get_input_schema(self, config: RunnableConfig | None = None) -> type[Any]:
        """What ToolNode reads to know what it injects. A model is offered `tool_call_schema`."""
        names = marked(self.wanted, self.mark)
        return (asked_of_graph(names) if names else None) or super().get_input_schema(config)

    @override
    def run(self, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        rest, handed = self._parted(tool_input)
        tokens = tool_call_id.set(kwargs.get("tool_call_id") or tool_call_id.get()), _handed.set(handed)
        try:
            return super().run(self._named(rest), *args, **kwargs)
        finally:
            tool_call_id.reset(tokens[0])
            _handed.reset(tokens[1])

    @override
    async def arun(self, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        rest, handed = self._parted(tool_input)
        tokens = tool_call_id.set(kwargs.get("tool_call_id") or tool_call_id.get()), _handed.set(handed)
        try:
            return await super().arun(self._named(rest), *args, **kwargs)
        finally:
            tool_call_id.reset(tokens[0])
            _handed.reset(tokens[1])

    # `self` is positional only, and nothing else is named: a tool's argument may have any name.
    @override
    def _run(self, /, **kwargs: Any) -> tuple[Any, Any]:
        with told_to_the_model():
            injection = collect(self.wanted, _handed.get({}), self.injected)
            call = self._call(kwargs, injection.dump())
            try:
                result = self._result(call)
            except RemoteError as error:
                if error.reason != "SCHEMA_CHANGED":
                    raise
                answer = self.gateway.call(DESCRIBE, self.target, describing(self.target))
                raise self._renewed(answer.spec) from None
            injection.write(result.store_writes)
            return output_of(result)

    @override
    async def _arun(self, /, **kwargs: Any) -> tuple[Any, Any]:
        with told_to_the_model():
            injection = collect(self.wanted, _handed.get({}), self.injected)
            call = self._call(kwargs, await injection.adump())
            try:
                result = await self._aresult(call)
            except RemoteError as error:
                if error.reason != "SCHEMA_CHANGED":
                    raise
                answer = await self.gateway.acall(DESCRIBE, self.target, describing(self.target))
                raise self._renewed(answer.spec) from None
            await injection.awrite(result.store_writes)
            return output_of(result)

    def _result(self, call: tool_pb2.ToolCall) -> tool_pb2.ToolResult:
        audience = Audience(self.target, tool_call_id.get())
        if audience.empty:
            return self.gateway.call(CALL, self.target, tool_pb2.ToolServiceCallRequest(call=call)).result
        result: tool_pb2.ToolResult | None = None
        request = tool_pb2.ToolServiceStreamRequest(call=call)
        with closing(self.gateway.stream(STREAM, self.target, request)) as events:
            for event in events:
                if event.WhichOneof("event") == "result":
                    result = event.result
                else:
                    audience.hear(event.progress)
        return self._present(result)

    async def _aresult(self, call: tool_pb2.ToolCall) -> tool_pb2.ToolResult:
        audience = Audience(self.target, tool_call_id.get())
        if audience.empty:
            answer = await self.gateway.acall(CALL, self.target, tool_pb2.ToolServiceCallRequest(call=call))
            return answer.result
        if audience.listener is not None:
            await audience.listener.tool_started(call.tool_call_id, self.name, call.args_json)
        result: tool_pb2.ToolResult | None = None
        request = tool_pb2.ToolServiceStreamRequest(call=call)
        async with aclosing(self.gateway.astream(STREAM, self.target, request)) as events:
            # Read to its end: leaving after the result would end the call as cancelled.
            async for event in events:
                if event.WhichOneof("event") == "result":
                    result = event.result
                else:
                    await audience.ahear(event.progress)
        return self._present(result)

    def _present(self, result: tool_pb2.ToolResult | None) -> tool_pb2.ToolResult:
        if result is None:
            raise RemoteError(Failure(self.target, "CONTRACT_VIOLATED", "the tool's stream ended without a result"))
        return result

    def _parted(self, tool_input: Any) -> tuple[Any, dict[str, Any]]:
        """The arguments of the model, and what LangGraph injected, by the tool's names."""
        names = marked(self.wanted, self.mark) if isinstance(tool_input, dict) else {}
        if not names:
            return tool_input, {}
        rest = {name: value for name, value in tool_input.items() if name not in names}
        return rest, {want.name: tool_input[name] for name, want in names.items() if name in tool_input}

    def _call(self, args: dict[str, Any], injected_json: bytes) -> tool_pb2.ToolCall:
        try:
            args_json = dumps(args)
        except JsonError as error:
            raise RemoteToolError("ARGUMENTS_INVALID", f"the arguments cannot be written as JSON: {error}") from None
        call_id = tool_call_id.get() or f"call_{uuid4().hex}"
        return tool_pb2.ToolCall(
            target=self.target,
            tool_call_id=call_id,
            args_json=args_json,
            injected_json=injected_json,
            expect_schema_sha256=self.schema_sha256,
            idempotency_key=self._idempotency_key(call_id, args_json),
            wants_value=not tool_call_id.get(),
        )

    def _idempotency_key(self, call_id: str, args_json: bytes) -> str:
        """One key for one tool call of one run; models reuse ids, so the run and the arguments belong to it."""
        if self.effect != payload_pb2.EFFECT_MUTATING:
            return ""
        context = current.get(None)
        run = context.call_id if context else ""
        return hashlib.sha256(b"\0".join((run.encode(), call_id.encode(), args_json))).hexdigest()[:32]

    def _renewed(self, spec: tool_pb2.ToolSpec) -> RemoteToolError:
        """Takes over the tool's new schema, and tells it to a model that was given the old one."""
        self.description, self.args_schema, self.schema_sha256 = spec.description, schema_of(spec), spec.schema_sha256
        text = spec.input_schema_json.decode("utf-8", "replace")
        return RemoteToolError(
            "SCHEMA_CHANGED", f"the tool has changed; call it again with arguments of this schema: {text}"
        )

    def _named(self, tool_input: Any) -> Any:
        """Text agents of 0.3 give one text; it is the only argument, where the tool has only one."""
        names = list(self.args) if isinstance(tool_input, str) else []
        return {names[0]: tool_input} if len(names) == 1 else tool_input


def describing(target: str) -> tool_pb2.ToolServiceDescribeRequest:
    return tool_pb2.ToolServiceDescribeRequest(target=target)


def schema_of(spec: tool_pb2.ToolSpec) -> dict[str, Any]:
    """The schema as LangChain wants it: always with "properties". Raises JsonError."""
    return {"type": "object", "properties": {}, **loads_object(spec.input_schema_json)}
