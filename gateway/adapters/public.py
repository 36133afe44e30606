"""What the gateway answers without credentials: health and reflection. Both tell nothing about targets or callers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import grpc
from firebreak.v1 import agent_pb2, catalog_pb2, decision_pb2, embedding_pb2, model_pb2, retriever_pb2, tool_pb2
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from gateway.errors import CallError, Reason
from gateway.wire import finish_of

_M = TypeVar("_M", bound=Message)

_FILES = (agent_pb2, catalog_pb2, decision_pb2, embedding_pb2, model_pb2, retriever_pb2, tool_pb2)
_HEALTH = "/grpc.health.v1.Health/"
_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


class PublicServices:
    """grpc.health.v1 and grpc.reflection.v1alpha, shared by every listener.

    Messages are parsed here and not by grpc, so that bytes which are no message get INVALID_ARGUMENT and not an
    exception's text.
    """

    def __init__(self) -> None:
        self._health = health.aio.HealthServicer()
        names = [file.DESCRIPTOR.services_by_name[name].full_name for file in _FILES for name in _services(file)]
        self._names = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        self._reflection = reflection.aio.ReflectionServicer(self._names)

    async def start(self) -> None:
        """Every service that is served here reports SERVING."""
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def drain(self) -> None:
        """Everything reports NOT_SERVING from now on, so that load balancers look elsewhere."""
        await self._health.enter_graceful_shutdown()

    def handlers(self) -> dict[str, Any]:
        """grpc's method handlers by full method name."""
        serialize = {"response_serializer": _serialize}
        return {
            _HEALTH + "Check": grpc.unary_unary_rpc_method_handler(self._check, **serialize),
            _HEALTH + "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **serialize),
            _REFLECTION: grpc.stream_stream_rpc_method_handler(self._reflect, **serialize),
        }

    async def _check(self, request: bytes, context: Any) -> Any:
        return await self._health.Check(await _parse(health_pb2.HealthCheckRequest, request, context), context)

    async def _watch(self, request: bytes, context: Any) -> None:
        await self._health.Watch(await _parse(health_pb2.HealthCheckRequest, request, context), context)

    async def _reflect(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[Any]:
        async for answer in self._reflection.ServerReflectionInfo(_parsed(requests, context), context):
            yield answer


def _services(file: Any) -> list[str]:
    return list(file.DESCRIPTOR.services_by_name)


async def _parsed(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[Any]:
    async for request in requests:
        yield await _parse(reflection_pb2.ServerReflectionRequest, request, context)


async def _parse(kind: type[_M], request: bytes, context: Any) -> _M:
    """`request` as a message; ends the call where it is none."""
    try:
        return kind.FromString(request)
    except DecodeError:
        error = CallError(Reason.REQUEST_MALFORMED, "The request is not the protobuf message that this method takes.")
        finish = finish_of(error, "")
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, finish.message, finish.trailers)
        raise  # abort always raises; this line tells the type checker


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
