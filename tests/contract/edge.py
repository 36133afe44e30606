"""A real listener over a real socket around a scripted chain, and a client's view of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from gateway.adapters.public import PublicServices
from gateway.call import Call
from gateway.config import Listener, Tls
from gateway.ids import call_ids
from gateway.routes import METHODS
from gateway.running import Running
from gateway.server import Bound, Edge, Routed, ServerLimits, make_server
from gateway.service import Filter, Finish, Send, Service

UNARY = "/firebreak.v1.ToolService/Call"
STREAM = "/firebreak.v1.ToolService/Stream"
LIMITS = ServerLimits(message_bytes=1024 * 1024, streams=1000)


class Chain:
    """Stands for the chain: keeps the calls it got and does with each what it was made to do."""

    def __init__(self, behaviour: Callable[[Call, Send], Awaitable[Finish]]) -> None:
        self._behaviour = behaviour
        self.calls: list[Call] = []
        self.cancelled = asyncio.Event()

    async def __call__(self, call: Call, send: Send) -> Finish:
        self.calls.append(call)
        try:
            return await self._behaviour(call, send)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def echo(call: Call, send: Send) -> Finish:
    await send(call.request)
    return Finish()


@asynccontextmanager
async def listening(
    chain: Service,
    address: str,
    *,
    credentials: Any = None,
    limits: ServerLimits = LIMITS,
    public: PublicServices | None = None,
    running: Running | None = None,
    refused: Filter = lambda service: service,
    routed: Routed = lambda _name: None,
    connection_age: float | None = None,
) -> AsyncIterator[Bound]:
    """A started server on `address` whose every method is served by `chain`."""
    public = public or PublicServices()
    await public.start()
    clock = asyncio.get_running_loop().time
    routes = {name: (method, chain) for name, method in METHODS.items()}
    tls = Tls(certificate="", key="") if credentials else None
    listener = Listener.model_construct(
        name="public", address=address, accept=("jwt",), tls=tls, connection_age=connection_age
    )
    edge = Edge(
        listener,
        routes,
        refused,
        public.handlers(),
        routed,
        running or Running(),
        clock,
        call_ids(),
        limits,
    )
    bound = make_server(listener, edge, limits, credentials)
    await bound.server.start()
    try:
        yield bound
    finally:
        await bound.server.stop(0)


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """The error that ends `call`, a unary call or a stream."""
    try:
        if hasattr(call, "read"):
            while await call.read() is not grpc.aio.EOF:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call succeeded")


def details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """The google.rpc details of an error, unpacked, by the name of their message."""
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(packed)
    assert status.code == error.code().value[0]
    unpacked = {}
    for detail in status.details:
        name = detail.TypeName().rpartition(".")[2]
        message = getattr(error_details_pb2, name)()
        assert detail.Unpack(message)
        unpacked[name] = message
    return unpacked


def reason(error: grpc.aio.AioRpcError) -> str:
    """The reason of the error's one ErrorInfo."""
    info = details(error)["ErrorInfo"]
    assert info.domain == "firebreak.dev"
    return str(info.reason)
