"""A tool in another process, as a LangChain tool."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from typing import Any, Literal
from uuid import uuid4

from firebreak.v1 import payload_pb2, tool_pb2
from langchain_core.tools import BaseTool, ToolException
from pydantic import Field
from typing_extensions import override

from firebreak_runtime.artifacts import ArtifactError, from_artifact
from firebreak_runtime.context import current
from firebreak_runtime.convert import ConvertError, from_content
from firebreak_runtime.json_values import JsonError, dumps, loads_object
from firebreak_runtime.remote.failures import Failure, RemoteError, for_model
from firebreak_runtime.remote.gateway import Gateway, Rpc
from firebreak_runtime.remote.listener import listener, tool_call_id

DESCRIBE = Rpc("/firebreak.v1.ToolService/Describe", tool_pb2.ToolServiceDescribeResponse)
CALL = Rpc("/firebreak.v1.ToolService/Call", tool_pb2.ToolServiceCallResponse)
STREAM = Rpc("/firebreak.v1.ToolService/Stream", tool_pb2.ToolServiceStreamResponse)


class RemoteToolError(ToolException):
    """The tool failed or could not be called; the text is for the model. `reason` is TOOL_ERROR, INVALID_ARGS or a reason of
    errors.proto."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class FailureText(str):
    """What a model reads of a failed tool. A plain text to everyone else; agents that lose a message's status (AgentExecutor)
    still hand this on."""

    tool_failed = True


def show(error: ToolException) -> FailureText:
    """LangChain's handle_tool_error: the same on 0.3 and 1.x, where an unhandled error would end the agent's turn."""
    return FailureText(error)


class RemoteTool(BaseTool):
    """Calls the tool of the service `target` through the gateway.

    Failures reach the model as a text (see `failures.for_model`); set `handle_tool_error` to False to get them raised as
    RemoteToolError. Arguments are checked by the service, against the schema that this proxy was made with.
    """

    target: str
    effect: int = payload_pb2.EFFECT_UNSPECIFIED
    schema_sha256: str = ""
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
            gateway=gateway,
        )

    def with_injected(self, **values: Any) -> RemoteTool:
        """The same tool with arguments that the agent injects in each call and no model sees."""
        return self.model_copy(update={"injected": {**self.injected, **values}})

    @override
    def run(self, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        token = tool_call_id.set(kwargs.get("tool_call_id") or tool_call_id.get())
        try:
            return super().run(self._named(tool_input), *args, **kwargs)
        finally:
            tool_call_id.reset(token)

    @override
    async def arun(self, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        token = tool_call_id.set(kwargs.get("tool_call_id") or tool_call_id.get())
        try:
            return await super().arun(self._named(tool_input), *args, **kwargs)
        finally:
            tool_call_id.reset(token)

    # `self` is positional only, and nothing else is named: a tool's argument may have any name.
    @override
    def _run(self, /, **kwargs: Any) -> tuple[Any, Any]:
        call = self._call(kwargs)
        try:
            try:
                return _output(self.gateway.call(CALL, self.target, tool_pb2.ToolServiceCallRequest(call=call)).result)
            except RemoteError as error:
                if error.reason != "SCHEMA_CHANGED":
                    raise
                raise self._renewed(self.gateway.call(DESCRIBE, self.target, describing(self.target)).spec) from None
        except RemoteError as error:
            raise RemoteToolError(error.reason, for_model(error.failure)) from None

    @override
    async def _arun(self, /, **kwargs: Any) -> tuple[Any, Any]:
        call = self._call(kwargs)
        try:
            try:
                return _output(await self._aresult(call))
            except RemoteError as error:
                if error.reason != "SCHEMA_CHANGED":
                    raise
                answer = await self.gateway.acall(DESCRIBE, self.target, describing(self.target))
                raise self._renewed(answer.spec) from None
        except RemoteError as error:
            raise RemoteToolError(error.reason, for_model(error.failure)) from None

    async def _aresult(self, call: tool_pb2.ToolCall) -> tool_pb2.ToolResult:
        # Without the model's id nobody could tell which call an event belongs to.
        told = listener.get() if tool_call_id.get() else None
        if told is None:
            answer = await self.gateway.acall(CALL, self.target, tool_pb2.ToolServiceCallRequest(call=call))
            return answer.result
        await told.tool_started(call.tool_call_id, self.name, call.args_json)
        result: tool_pb2.ToolResult | None = None
        request = tool_pb2.ToolServiceStreamRequest(call=call)
        async with aclosing(self.gateway.astream(STREAM, self.target, request)) as events:
            # Read to its end: leaving after the result would end the call as cancelled.
            async for event in events:
                if event.WhichOneof("event") == "result":
                    result = event.result
                else:
                    await told.tool_output(call.tool_call_id, event.progress.data_json)
        if result is None:
            raise RemoteError(Failure(self.target, "CONTRACT_VIOLATED", "the tool's stream ended without a result"))
        return result

    def _call(self, args: dict[str, Any]) -> tool_pb2.ToolCall:
        try:
            args_json = dumps(args)
            injected_json = dumps(self.injected) if self.injected else b""
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


def _output(result: tool_pb2.ToolResult) -> tuple[Any, Any]:
    """Content and artifact. Raises RemoteToolError for a tool that failed."""
    if result.status == tool_pb2.TOOL_STATUS_TOOL_ERROR:
        raise RemoteToolError("TOOL_ERROR", result.error_message or "the tool failed")
    if result.status == tool_pb2.TOOL_STATUS_INVALID_ARGS:
        raise RemoteToolError("INVALID_ARGS", f"the arguments are not valid: {result.error_message}")
    if result.status != tool_pb2.TOOL_STATUS_OK:
        raise RemoteToolError("CONTRACT_VIOLATED", "the tool gave no usable answer.")
    try:
        artifact = from_artifact(result.artifact) if result.HasField("artifact") else None
        return from_content(result.content), artifact
    except (ConvertError, ArtifactError):
        raise RemoteToolError("CONTRACT_VIOLATED", "the tool gave no usable answer.") from None
