"""Health and reflection, as a client without credentials sees them."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gateway.adapters.public import PublicServices
from gateway.routes import GATEWAY_METHODS, METHODS
from tests.contract.edge import Chain, echo, failure, listening, reason

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_health_follows_draining(address: str) -> None:
    public = PublicServices()
    async with listening(Chain(echo), address, public=public), grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "firebreak.v1.ToolService", "firebreak.v1.CatalogService"):
            assert (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        await public.drain()
        async with asyncio.timeout(10):
            assert (await watch.read()).status == NOT_SERVING
        watch.cancel()


async def test_health_of_an_unknown_service_is_not_found(address: str) -> None:
    async with listening(Chain(echo), address), grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        error = await failure(stub.Check(health_pb2.HealthCheckRequest(service="nope")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def _reflect(channel: grpc.aio.Channel, **query: str) -> reflection_pb2.ServerReflectionResponse:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter((reflection_pb2.ServerReflectionRequest(**query),)))
    return await call.read()


async def test_reflection_describes_every_method_that_is_served(address: str) -> None:
    async with listening(Chain(echo), address), grpc.aio.insecure_channel(address) as channel:
        listed = await _reflect(channel, list_services="")
        names = {service.name for service in listed.list_services_response.service}
        assert {name.split("/")[1] for name in METHODS | GATEWAY_METHODS} <= names
        methods = set()
        for name in names:
            answer = await _reflect(channel, file_containing_symbol=name)
            for packed in answer.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(packed)
                for service in file.service:
                    methods |= {f"/{file.package}.{service.name}/{method.name}" for method in service.method}
    assert set(METHODS) | set(GATEWAY_METHODS) <= methods


@pytest.mark.parametrize(
    "method",
    [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ],
)
async def test_bytes_that_are_no_message_are_invalid(address: str, method: str) -> None:
    async with listening(Chain(echo), address), grpc.aio.insecure_channel(address) as channel:
        error = await failure(channel.stream_stream(method)(iter((b"\xff\xff\xff",))))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert reason(error) == "REQUEST_MALFORMED"
        stub = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == SERVING
