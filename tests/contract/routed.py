"""A hand-written gRPC service that the gateway knows nothing of, the gateway's chain in front of it, and a caller of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from gateway.adapters.upstream import GrpcUpstream
from gateway.config import RouteConfig
from gateway.descriptors import Descriptors
from gateway.filters.circuit_breaker import Breakers
from gateway.routed import RoutedService
from gateway.stack import build
from gateway.targets import Description, State, Target
from tests.contract.edge import LIMITS, listening
from tests.unit.gateway.chain_fakes import (
    ALLOW,
    FakeAuthenticator,
    FakeEngine,
    FakeJournal,
    FakeRecorder,
    FakeSessions,
    gateway_config,
    targets,
)

UNARY, DOWN, UP, BOTH = ("/acme.Echo/Unary", "/acme.Echo/Down", "/acme.Echo/Up", "/acme.Echo/Both")
KINDS = (UNARY, DOWN, UP, BOTH)

_ANY_SIZE = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.absolute_max_metadata_size", 64 * 1024),
)

Script = Callable[[Any], Awaitable[None]]
"""Serves one call over grpc's context: on the wire all four kinds are the same."""


def descriptors() -> bytes:
    """acme.Echo as a serialized FileDescriptorSet."""
    file = FileDescriptorProto(name="acme/echo.proto", package="acme", syntax="proto3")
    message = file.message_type.add(name="Said")
    message.field.add(name="text", number=1, type=9, label=1)
    message.field.add(name="times", number=2, type=5, label=1)
    service = file.service.add(name="Echo")
    for name, up, down in (("Unary", 0, 0), ("Down", 0, 1), ("Up", 1, 0), ("Both", 1, 1)):
        service.method.add(
            name=name,
            input_type=".acme.Said",
            output_type=".acme.Said",
            client_streaming=bool(up),
            server_streaming=bool(down),
        )
    return FileDescriptorSet(file=[file]).SerializeToString()


def said(text: str) -> bytes:
    return b"\x0a" + bytes([len(text.encode())]) + text.encode()


async def echo(context: Any) -> None:
    """Sends back each message as it comes."""
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(message)


@dataclass
class Echo:
    """Replace `script` to script it. Keeps the metadata of each call."""

    script: Script = echo
    metadata: list[tuple[tuple[str, Any], ...]] = field(default_factory=list)
    started: int = 0
    ended: int = 0

    def service(self, details: Any) -> Any:
        if details.method not in KINDS:
            return None

        async def handle(_requests: Any, context: Any) -> None:
            self.started += 1
            self.metadata.append(tuple((key, value) for key, value in context.invocation_metadata()))
            try:
                await self.script(context)
            finally:
                self.ended += 1

        return grpc.stream_stream_rpc_method_handler(handle)

    async def reached(self, condition: Callable[[], bool]) -> None:
        """Returns when `condition` holds, which a call here brings about."""
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def serving(self, address: str) -> AsyncIterator[grpc.aio.Server]:
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
        server.add_generic_rpc_handlers((self,))
        server.add_insecure_port(address)
        await server.start()
        try:
            yield server
        finally:
            await server.stop(0)


@dataclass
class Gateway:
    """The chain over fakes, with a real listener before it and a real connection behind it."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    described: bool = False
    answer: Any = field(default_factory=lambda: ALLOW)
    recorder: FakeRecorder = field(default_factory=FakeRecorder)
    journal: FakeJournal = field(default_factory=FakeJournal)

    def target(self, address: str) -> Target:
        config = RouteConfig.model_validate(
            {
                "name": "echo",
                "address": address,
                "methods": ["acme.Echo/*", "acme.Gone/*"][: 1 if self.described else 2],
            }
            | dict(self.settings)
        )
        service = RoutedService(config, Descriptors(descriptors()) if self.described else None)
        nothing = Description(b"", "echo", "", "", "", "", "", "")
        return Target(config, address, "", State.READY, "", nothing, service)

    @asynccontextmanager
    async def before(self, address: str, listener: str) -> AsyncIterator[None]:
        """Takes calls at `listener` for the service at `address`."""
        clock = asyncio.get_running_loop().time
        known, upstream = targets(self.target(address)), GrpcUpstream(clock)
        self.engine = FakeEngine(self.answer)
        self.breakers = Breakers(clock)
        stack = build(
            config=gateway_config(),
            targets=known,
            authenticator=FakeAuthenticator(),
            sessions=FakeSessions(),
            engine=self.engine,
            recorder=self.recorder,
            keeper=self.journal,
            upstream=upstream,
            breakers=self.breakers,
            in_flight=set(),
            clock=clock,
            random=lambda: 0.0,
            sleep=asyncio.sleep,
            draining=lambda: False,
        )

        def routed(name: str) -> Any:
            method = known.method(name)
            return None if method is None else (method, stack.serve)

        limits = replace(LIMITS, message_bytes=64 * 1024 * 1024)
        async with listening(stack.serve, listener, limits=limits, refused=stack.refused, routed=routed):
            yield
        await upstream.close()


@dataclass
class Seen:
    """What a caller sees of a call, but for Firebreak's own trailer."""

    initial: list[tuple[str, Any]] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    code: Any = None
    text: str | None = None
    trailers: list[tuple[str, Any]] = field(default_factory=list)


async def seen(rpc: Any) -> Seen:
    """Reads `rpc` to its end."""
    found = Seen()
    try:
        found.initial = sorted((key, value) for key, value in await rpc.initial_metadata())
        while (message := await rpc.read()) is not grpc.aio.EOF:
            found.messages.append(message)
    except grpc.aio.AioRpcError:
        pass
    found.code, found.text = await rpc.code(), await rpc.details()
    found.trailers = _theirs(await rpc.trailing_metadata())
    return found


async def ask(
    channel: Channel, method: str, messages: Sequence[bytes], metadata: tuple[Any, ...] = (), timeout: float = 20
) -> Seen:
    """Sends all `messages`, and reads meanwhile.

    By grpc's other client: where a call ends while it writes, that of grpc.aio may say INTERNAL whatever the status is.
    """
    return await asyncio.to_thread(_ask, channel.address, method, messages, metadata, timeout)


def _ask(address: str, method: str, messages: Sequence[bytes], metadata: tuple[Any, ...], timeout: float) -> Seen:
    found = Seen()
    with grpc.insecure_channel(address, options=_ANY_SIZE) as channel:
        rpc = channel.stream_stream(method)(iter(messages), metadata=metadata, timeout=timeout)
        try:
            found.initial = sorted(tuple(entry) for entry in rpc.initial_metadata())
            found.messages += rpc
        except grpc.RpcError:
            pass
        found.code, found.text = rpc.code(), rpc.details()
        found.trailers = _theirs(rpc.trailing_metadata())
    return found


def _theirs(trailers: Iterable[Any]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in trailers if key != "firebreak-call-id"]


class Channel:
    """A grpc.aio channel that knows its address."""

    def __init__(self, address: str, channel: Any) -> None:
        self.address = address
        self.stream_stream = channel.stream_stream
        self.unary_stream = channel.unary_stream
        self.unary_unary = channel.unary_unary


@dataclass
class Ways:
    """The two ways to the same service."""

    direct: Channel
    through: Channel


@asynccontextmanager
async def ways(echo: Echo, gateway: Gateway, sockets: Path) -> AsyncIterator[Ways]:
    backend, listener = f"unix:{sockets}/echo.sock", f"unix:{sockets}/edge.sock"
    async with (
        echo.serving(backend),
        gateway.before(backend, listener),
        grpc.aio.insecure_channel(backend, options=_ANY_SIZE) as direct,
        grpc.aio.insecure_channel(listener, options=_ANY_SIZE) as through,
    ):
        yield Ways(Channel(backend, direct), Channel(listener, through))
