"""The gRPC server of a host: bytes in and out, health, reflection. The only file of the host that knows grpc."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from firebreak_runtime import pem
from firebreak_runtime.cause import full_text
from firebreak_runtime.checks import parse
from firebreak_runtime.dispatch import Incoming
from firebreak_runtime.errors import ServedError
from firebreak_runtime.frames import MAX_MESSAGE
from firebreak_runtime.health import HealthServer
from firebreak_runtime.host import Host
from firebreak_runtime.in_flight import InFlight
from firebreak_runtime.log import Log
from firebreak_runtime.methods import KINDS, Method
from firebreak_runtime.prove import Prover, prove_request
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.status import DETAILS, MESSAGE, details_of
from firebreak_runtime.tls import ListenerTls, credentials

T = TypeVar("T")
HOST = "firebreak.v1.HostService"
LONGEST = 600.0
"""Seconds that a call without a deadline gets."""
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.so_reuseport", 0),
)


class Server:
    """Serves one service at one address, and at `health_at`, if any ("host:port"), its health in the clear."""

    def __init__(self, service: ServiceFile, log: Log, health_at: str = "") -> None:
        self._service = service
        self._log = log
        self._kind = KINDS[service.kind]
        self._server: Any = None
        self._health = health.aio.HealthServicer()
        self._in_the_clear = HealthServer(self._health, health_at) if health_at else None
        self._in_flight = InFlight()
        self._tasks: set[asyncio.Future[None]] = set()

    async def start(self, host: Host, prover: Prover, address: str, tls: ListenerTls | None = None) -> None:
        """Listens; gRPC's threads start here and not before. With `tls` only those who show a certificate get a connection.

        Raises OSError if an address cannot be had or a file of `tls` is of no use.
        """
        self._server = grpc.aio.server(options=_OPTIONS)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers((self._handlers(host), self._about_host(prover)))
        names = (self._kind.name, HOST, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self._bind(address, tls)
        await self._set_health(False)
        await self._server.start()
        if self._in_the_clear is not None:
            await self._in_the_clear.start()

    def _bind(self, address: str, tls: ListenerTls | None) -> None:
        try:
            live = credentials(tls, self._log) if tls is not None else None
        except OSError as error:
            raise OSError(pem.in_words(error)) from None
        try:
            if live is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, live)
        except RuntimeError:
            raise OSError(f"cannot listen on {address}") from None

    def set_ready(self, ready: bool) -> None:
        """Sets the health of the server and of its service."""
        task = asyncio.ensure_future(self._set_health(ready))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self, grace: float, lull: float = 0.0) -> None:
        """Says that it does not serve any more, and gives calls `grace` seconds in all.

        With a `lull` new ones are still taken until none has run for that many seconds, for half of `grace` at most: whoever
        sends them needs a moment to turn elsewhere.
        """
        end = asyncio.get_running_loop().time() + grace
        await self._health.enter_graceful_shutdown()
        if lull:
            quiet = asyncio.ensure_future(self._in_flight.quiet(lull))
            await asyncio.wait({quiet}, timeout=grace / 2)
            quiet.cancel()
        await self._server.stop(max(0.0, end - asyncio.get_running_loop().time()))
        if self._in_the_clear is not None:
            await self._in_the_clear.stop()

    async def _set_health(self, ready: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", self._kind.name):
            await self._health.set(name, status)

    def _handlers(self, host: Host) -> grpc.GenericRpcHandler:
        handlers = {"Describe": grpc.unary_unary_rpc_method_handler(self._describe(host))}
        for method in self._kind.methods:
            if method.streams:
                handlers[method.name] = grpc.unary_stream_rpc_method_handler(self._streaming(host, method))
            else:
                handlers[method.name] = grpc.unary_unary_rpc_method_handler(self._unary(host, method))
        return grpc.method_handlers_generic_handler(self._kind.name, handlers)

    def _about_host(self, prover: Prover) -> grpc.GenericRpcHandler:
        """Served whether or not the service is ready: its walls stand before it does."""

        async def prove(request: bytes, context: Any) -> bytes:
            async def answer() -> bytes:
                return await prover.prove(prove_request(request))

            return await self._guarded(context, answer())

        return grpc.method_handlers_generic_handler(HOST, {"Prove": grpc.unary_unary_rpc_method_handler(prove)})

    def _describe(self, host: Host) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def describe(request: bytes, context: Any) -> bytes:
            async def answer() -> bytes:
                return host.describe(parse(self._kind.describe, request).target)

            return await self._guarded(context, answer())

        return describe

    def _unary(self, host: Host, method: Method) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def unary(request: bytes, context: Any) -> bytes:
            answers: list[bytes] = []

            async def keep(message: bytes) -> None:
                answers.append(message)

            with self._in_flight.one():
                await self._guarded(context, host.call(_incoming(method, request, context), keep))
            return answers[0]

        return unary

    def _streaming(self, host: Host, method: Method) -> Callable[[bytes, Any], Awaitable[None]]:
        async def streaming(request: bytes, context: Any) -> None:
            with self._in_flight.one():
                await self._guarded(context, host.call(_incoming(method, request, context), context.write))

        return streaming

    async def _guarded(self, context: Any, serving: Awaitable[T]) -> T:
        """The result of `serving`; whatever it raises becomes a status, so that a crash cannot look like OK."""
        try:
            return await serving
        except ServedError as error:
            wrong = error
        except Exception as error:
            if context.done():
                raise asyncio.CancelledError from None  # the client went away while a message was written to it
            wrong = self._internal(error)
        code, trailers = _CODES[wrong.code], ((DETAILS, details_of(wrong)),)
        await context.abort(code, wrong.message[:MESSAGE], trailing_metadata=trailers)
        raise AssertionError("abort raises")

    def _internal(self, error: Exception) -> ServedError:
        correlation = secrets.token_hex(8)
        self._log.error("bug", correlation_id=correlation, text=full_text(error))
        wrong = f"{self._service.name} failed inside. Its log has the details under correlation id {correlation}."
        return ServedError("INTERNAL", wrong, metadata={"target": self._service.name, "correlation_id": correlation})


def _incoming(method: Method, request: bytes, context: Any) -> Incoming:
    remaining = context.time_remaining()
    headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
    return Incoming(
        method=method,
        request=request,
        deadline=asyncio.get_running_loop().time() + min(LONGEST, remaining if remaining is not None else LONGEST),
        session=headers.get("firebreak-session", ""),
        traceparent=headers.get("traceparent", ""),
        call_id=headers.get("firebreak-call-id", ""),
    )
