"""A small real service: a firebreak.v1 tool whose behaviour a test scripts, with grpc.health.v1."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from firebreak.v1 import payload_pb2, tool_pb2
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gateway.config import Effect, Limits, ServiceConfig
from gateway.routes import Kind
from gateway.targets import Target

PREFIX = "/firebreak.v1.ToolService/"
SCHEMA = b'{"type":"object"}'

Handler = Callable[[bytes, Any], Awaitable[Any]]


def spec(**changes: Any) -> bytes:
    """A correct Describe answer, or one changed in some fields."""
    fields = {
        "name": "calc",
        "description": "Calculates.",
        "input_schema_json": SCHEMA,
        "schema_sha256": hashlib.sha256(SCHEMA).hexdigest(),
        "version": "1.2.3",
        "framework": payload_pb2.Framework(package="langchain", version="1.4.7", python="3.11.7", core_version="1.7.2"),
    } | changes
    return tool_pb2.ToolServiceDescribeResponse(spec=tool_pb2.ToolSpec(**fields)).SerializeToString()


class Backend:
    """Replace `describe`, `call` and `stream` to script it. Keeps the metadata of each call."""

    def __init__(self) -> None:
        self.health = health.aio.HealthServicer()
        self.described = spec()
        self.cause: dict[str, str] | None = None
        self.describes = 0
        self.metadata: list[tuple[tuple[str, Any], ...]] = []
        self.call: Handler = self._echo
        self.stream: Handler = self._echo_stream

    def service(self, details: Any) -> Any:
        handlers = {
            PREFIX + "Describe": grpc.unary_unary_rpc_method_handler(self._describe),
            PREFIX + "Call": grpc.unary_unary_rpc_method_handler(self._call),
            PREFIX + "Stream": grpc.unary_stream_rpc_method_handler(self._stream),
        }
        return handlers.get(details.method)

    async def set(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        await self.health.set("", status.SERVING if serving else status.NOT_SERVING)

    async def _describe(self, request: bytes, context: Any) -> bytes:
        self.describes += 1
        if self.cause is not None:
            await fail(context, grpc.StatusCode.UNAVAILABLE, "TARGET_NOT_READY", "not ready", self.cause)
        return self.described

    async def _call(self, request: bytes, context: Any) -> Any:
        self.metadata.append(tuple(context.invocation_metadata()))
        return await self.call(request, context)

    async def _stream(self, request: bytes, context: Any) -> None:
        self.metadata.append(tuple(context.invocation_metadata()))
        await self.stream(request, context)

    async def _echo(self, request: bytes, context: Any) -> bytes:
        return request

    async def _echo_stream(self, request: bytes, context: Any) -> None:
        for number in range(3):
            await context.write(request + str(number).encode())


async def fail(context: Any, code: Any, reason: str, message: str, metadata: dict[str, str]) -> None:
    """Ends a call as the runtime does: with one ErrorInfo."""
    packed = Packed()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="firebreak.dev", metadata=metadata))
    status = status_pb2.Status(code=code.value[0], message=message, details=[packed])
    await context.abort(code, message, (("grpc-status-details-bin", status.SerializeToString()),))


@asynccontextmanager
async def serving(backend: Backend, socket: Path, *, with_health: bool = True) -> AsyncIterator[grpc.aio.Server]:
    """`backend` on a unix socket."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((backend,))
    if with_health:
        health_pb2_grpc.add_HealthServicer_to_server(backend.health, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


def target(socket: Path, limits: Limits | None = None) -> Target:
    config = ServiceConfig(
        name="calculator",
        kind=Kind.TOOL,
        version="1.0.0",
        entrypoint="tool:calculator",
        effect=Effect.READ,
        limits=limits or Limits(),
    )
    return Target(config, f"unix:{socket}", "service:calculator")
