"""Calls in: one grpc.aio server for each listener. Builds a Call, runs the chain in the handler's task, ends it once.

Whatever the chain does, the caller gets exactly one finish: a crash can never look like OK.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from gateway.call import Call, Exchange, Facts, Metadata, Peer
from gateway.config import Listener
from gateway.core.deadline import NEVER, Deadline
from gateway.delivery import Requests, Unread
from gateway.errors import CallError, Code, Reason
from gateway.exchange import ContextExchange
from gateway.hang_up import hang_up
from gateway.local_services import unknown_method, without_request
from gateway.ports import Clock
from gateway.routes import Kind, Method, unknown
from gateway.running import Running
from gateway.service import Filter, Finish, Service
from gateway.time_limit import within
from gateway.wire import CALL_ID_KEY, finish_of

_log = logging.getLogger("firebreak.server")

_STATUS = {code.value[0]: code for code in grpc.StatusCode}

_MOST_DESCRIPTORS = 16_384
"""No more are counted on, however many are allowed: an idle connection takes 20 KB of memory."""

Route = tuple[Method, Service]
"""A method and the chain that serves it."""

Routed = Callable[[str], Route | None]
"""Finds the route of a full method name; None where there is none."""

NewId = Callable[[], str]
"""Makes a call id: 32 hexadecimal characters that sort by time."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of one listener's transport; the chain has finer ones behind it.

    `streams` is per connection; as many callers may let all connections wait for their request message, each for
    `request_seconds`. `read_seconds` is how long a caller may take to read one message of a stream, `unread_bytes` how much
    each principal may leave unread of ended calls. Connections beyond `connections` are closed at once.
    """

    message_bytes: int
    streams: int
    metadata_bytes: int = 16 * 1024
    request_seconds: float = 10.0
    read_seconds: float = 30.0
    unread_bytes: int = 64 * 1024**2
    connections: int = 4096


class Edge:
    """Serves the methods of one listener. Knows grpc's handler objects; the chain behind does not.

    `routed` finds the methods of routed services, which come and go. `refused` wraps what answers a call that has no method or
    no message: nothing but the record is in front of it.
    """

    def __init__(
        self,
        listener: Listener,
        routes: Mapping[str, Route],
        refused: Filter,
        public: Mapping[str, Any],
        routed: Routed,
        running: Running,
        clock: Clock,
        new_id: NewId,
        limits: ServerLimits,
    ) -> None:
        self._listener = listener
        self._secure = listener.tls is not None
        self._routed = routed
        self._running = running
        self._clock = clock
        self._new_id = new_id
        self._read_seconds = limits.read_seconds
        self._requests = Requests(limits.request_seconds, limits.streams)
        self._unread = Unread(limits.unread_bytes)
        self._handlers = {name: self._handler(*route) for name, route in routes.items()} | dict(public)
        self._unknown = refused(unknown_method)
        self._empty = refused(without_request)

    def service(self, details: Any) -> Any:
        """grpc asks for the handler of `details.method`; an unknown one gets an answer too."""
        if (known := self._handlers.get(details.method)) is not None:
            return known
        route = self._routed(details.method)
        return self._refusal(details.method) if route is None else self._handler(*route)

    def _handler(self, method: Method, service: Service) -> Any:
        if method.streams_response or method.kind is Kind.SERVICE:
            return grpc.stream_stream_rpc_method_handler(self._stream(method, service))
        return grpc.stream_unary_rpc_method_handler(self._unary(method, service))

    def _unary(self, method: Method, service: Service) -> Callable[[Any, Any], Awaitable[bytes]]:
        async def handle(_requests: Any, context: Any) -> bytes:
            answers: list[bytes] = []
            call, serving = await self._received(method, service, context)

            async def send(message: bytes) -> None:
                self._unread.check(call.facts.principal, len(message))
                answers.append(message)

            finish = await self._serve(serving, call, send)
            if finish.code is Code.OK and len(answers) != 1:
                finish = _bug(call, f"{len(answers)} answers to a unary call")
            await _end(context, call, finish)
            self._unread.add(context, call.facts.principal, len(answers[0]))
            return answers[0]

        return handle

    def _stream(self, method: Method, service: Service) -> Callable[[Any, Any], Awaitable[None]]:
        async def handle(_requests: Any, context: Any) -> None:
            call, serving = await self._received(method, service, context)

            async def send(message: bytes) -> None:
                self._unread.check(call.facts.principal, len(message))
                try:
                    with within(self._read_seconds) as limit:
                        await context.write(message)
                except Exception as error:
                    if limit.expired:
                        self._unread.add(context, call.facts.principal, len(message))
                        raise _unread(self._read_seconds) from None
                    # The caller is gone. Cancellation follows, but the chain must not see a transport's error before it.
                    raise asyncio.CancelledError from error

            await _end(context, call, await self._serve(serving, call, send))

        return handle

    def _refusal(self, name: str) -> Any:
        method = unknown(name)

        async def handle(_requests: Any, context: Any) -> None:
            call = self._call(method, b"", context)
            await _end(context, call, await self._serve(self._unknown, call, _nothing))

        return grpc.stream_stream_rpc_method_handler(handle)

    async def _received(self, method: Method, service: Service, context: Any) -> tuple[Call, Service]:
        """The call, its request message read, and what serves it."""
        exchange = ContextExchange(context) if method.kind is Kind.SERVICE else None
        request = b"" if method.streams_request else await self._requests.read(context)
        call = self._call(method, request or b"", context, exchange)
        return call, self._empty if request is None else service

    async def _serve(self, service: Service, call: Call, send: Callable[[bytes], Awaitable[None]]) -> Finish:
        self._running.start(call.id)
        try:
            return await service(call, send)
        except CallError as error:
            return finish_of(error, call.id)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this task: something inside did. Without a finish the caller would wait for ever.
            return _bug(call, "a stage was cancelled from within")
        except Exception:
            _log.exception("call %s: an exception escaped the chain", call.id)
            return _bug(call, "an exception escaped the chain")
        finally:
            self._running.end(call.id)

    def _call(self, method: Method, request: bytes, context: Any, exchange: Exchange | None = None) -> Call:
        now = self._clock()
        remaining: float | None = context.time_remaining()
        return Call(
            id=self._new_id(),
            method=method,
            metadata=context.invocation_metadata() or (),
            request=request,
            deadline=NEVER if remaining is None else Deadline(now + remaining),
            listener=self._listener.name,
            peer=_peer(context, self._secure),
            facts=Facts(started=now, requests=0 if method.streams_request else 1),
            exchange=exchange,
        )


async def _nothing(_message: bytes) -> None:
    raise RuntimeError("a call of an unknown method got an answer")


@dataclass(frozen=True, slots=True)
class Bound:
    """A server that holds its address; `port` is 0 for a unix socket, whose `path` is "" for a port."""

    server: grpc.aio.Server
    port: int
    path: str = ""

    async def stop(self, grace: float) -> None:
        """Ends its connections, so that nobody who did not cancel is told CANCELLED; after `grace` seconds what still runs."""
        hang_up(self.port, self.path)
        await self.server.stop(grace)


def make_server(listener: Listener, edge: Edge, limits: ServerLimits, credentials: Any | None) -> Bound:
    """A server bound to the listener's address, not started. `credentials` are grpc's, None without TLS.

    Raises OSError when the address cannot be bound.
    """
    server = grpc.aio.server(options=_options(limits, listener.connection_age))
    server.add_generic_rpc_handlers((edge,))
    try:
        if credentials is None:
            port = server.add_insecure_port(listener.address)
        else:
            port = server.add_secure_port(listener.address, credentials)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {listener.address}") from error
    path = listener.address.removeprefix("unix:")
    return Bound(server, port) if path == listener.address else Bound(server, 0, path)


async def _end(context: Any, call: Call, finish: Finish) -> None:
    """Ends an OK call by setting its trailers; any other by abort, which raises and so leaves the handler."""
    if finish.code is not Code.OK:
        await _abort(context, finish, call.id)
    context.set_trailing_metadata(((CALL_ID_KEY, call.id), *finish.trailers))


async def _abort(context: Any, finish: Finish, call_id: str) -> None:
    # A plain tuple: grpc's own Metadata type here would turn the status into UNKNOWN.
    trailers: Metadata = ((CALL_ID_KEY, call_id), *finish.trailers)
    try:
        await context.abort(_STATUS[int(finish.code)], finish.message, trailers)
    except grpc.aio.InternalError as error:
        raise asyncio.CancelledError from error  # the caller has gone in this very moment


def _unread(seconds: float) -> CallError:
    return CallError(
        Reason.IDLE_TIMEOUT,
        f"Nobody read the last message for {seconds:g} s. Read the stream's messages as they come, or cancel the call.",
    )


def _bug(call: Call, what: str) -> Finish:
    _log.error("call %s: %s", call.id, what)
    error = CallError(
        Reason.INTERNAL,
        f"Firebreak failed. The gateway's log has the cause under call {call.id}.",
        metadata={"correlation_id": call.id},
    )
    return finish_of(error, call.id)


def _peer(context: Any, secure: bool) -> Peer:
    """The URI SANs only: a name of another type that merely reads like a SPIFFE id proves nothing."""
    uris = context.auth_context().get("peer_uri", ()) if secure else ()
    return Peer(address=context.peer(), uris=tuple(uri.decode("utf-8", "replace") for uri in uris))


def _options(limits: ServerLimits, connection_age: float | None) -> list[tuple[str, int]]:
    return [
        *([] if connection_age is None else [("grpc.max_connection_age_ms", round(connection_age * 1000))]),
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", limits.streams),
        # Both equal: between the two grpc would refuse at random.
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes),
        # Two gateways on one port would each get some of the calls.
        ("grpc.so_reuseport", 0),
        # Finds dead clients; lets live ones ping as often as every 10 s.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        # Who says nothing at all has no HTTP/2 connection after that time, who makes no call none after this.
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.max_connection_idle_ms", 60_000),
        ("grpc.max_allowed_incoming_connections", limits.connections),
    ]


def share_of_connections(listeners: int) -> int:
    """How many connections each of `listeners` may have: three of four descriptors that this process may open, in all.

    Raises the limit on descriptors as far as it may be raised.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return max(1, min(most, _MOST_DESCRIPTORS) * 3 // 4 // listeners)
