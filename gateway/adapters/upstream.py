"""Calls out: one grpc.aio channel for each target, bytes in and bytes out, typed failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from gateway.call import Exchange, Metadata
from gateway.carry import carry, once
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Code, Reason
from gateway.headers import to_caller
from gateway.made_by_grpc import made_by_grpc
from gateway.ports import Clock
from gateway.routes import Method
from gateway.service import Finish, Send
from gateway.targets import Target
from gateway.wire import CALL_ID_KEY, DETAILS_KEY, read_error

_log = logging.getLogger("firebreak.upstream")

_NAME = "dns:///"
"""Before an address that is looked up, and may lead to several instances."""

_METADATA_BYTES = 16 * 1024
"""What a target may send as initial metadata, and as trailers."""

_OWN = (CALL_ID_KEY, "content-type", "te", "connection", "user-agent", "date", "server")
"""Trailers of a target that are not passed back: hop-by-hop, or set by the gateway itself."""


async def _none(_endpoint: str) -> bool:
    return False


class GrpcUpstream:
    """Implements `gateway.ports.Upstream`. Channels belong to the event loop that first uses them."""

    def __init__(self, clock: Clock, added: Callable[[str], Awaitable[bool]] = _none) -> None:
        """`added` says whether "host:port" leads to an instance to which it did not lead when that was last asked."""
        self._clock = clock
        self._added = added
        self._channels: dict[Target, Any] = {}
        self._methods: dict[tuple[Target, str], Callable[..., Any]] = {}
        self._closing: set[asyncio.Future[None]] = set()

    def channel(self, target: Target) -> Any:
        """The one grpc.aio channel to `target`; health checks use it too, so that both see the same connection."""
        channel = self._channels.get(target)
        if channel is None:
            channel = _open(target)
            self._channels[target] = channel
        return channel

    def renew(self, target: Target) -> Any:
        """Another channel to `target`, which looks its name up anew; calls on the one before end there, within the target's
        longest deadline. None where the address is no name, and so leads nowhere else.
        """
        if not target.address.startswith(_NAME):
            return None
        self._forget_methods(target)
        if (before := self._channels.pop(target, None)) is not None:
            closing = asyncio.ensure_future(before.close(target.config.limits.max_deadline))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        return self.channel(target)

    async def spread(self, target: Target) -> Any:
        """As `renew`, where the target's name leads to an instance that was added since this was last asked; else None."""
        if not target.address.startswith(_NAME) or not await self._added(target.address.removeprefix(_NAME)):
            return None
        return self.renew(target)

    async def retire(self, target: Target) -> None:
        """Closes the channel to `target`, to which no call goes any more."""
        self._forget_methods(target)
        if (channel := self._channels.pop(target, None)) is not None:
            await channel.close()

    async def close(self) -> None:
        """Closes every channel; calls still on them end as cancelled."""
        for closing in self._closing:
            closing.cancel()
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()
        self._methods.clear()

    async def call(
        self,
        target: Target,
        method: str,
        metadata: Metadata,
        request: bytes,
        deadline: Deadline,
        streams: bool,
        send: Send,
    ) -> Finish:
        """See `gateway.ports.Upstream.call`."""
        open_call = self._method(target, method, streams)
        rpc = open_call(request, metadata=metadata, timeout=self._timeout(target, deadline))
        try:
            await (_pump(rpc, send) if streams else _answer(rpc, send))
            return Finish(trailers=_trailers(await rpc.trailing_metadata()))
        except grpc.aio.AioRpcError as error:
            return _finish(target, error)
        except asyncio.CancelledError:
            rpc.cancel()
            if _cancelled_by_caller():
                raise
            raise _unavailable(target) from None
        except BaseException:
            rpc.cancel()
            raise

    async def carry(
        self,
        target: Target,
        method: Method,
        metadata: Metadata,
        request: bytes,
        exchange: Exchange,
        deadline: Deadline,
        send: Send,
    ) -> Finish:
        """See `gateway.ports.Upstream.carry`."""
        timeout = self._timeout(target, deadline)
        # Streaming both ways whatever the method's kind, which is all the same on the wire: with one message grpc may lose the
        # initial metadata of a call that ends at once. Made anew for each call, since callers may make up names without end.
        rpc = self.channel(target).stream_stream(method.name)(metadata=metadata, timeout=timeout)
        receive = exchange.receive if method.streams_request else once(request)
        try:
            return Finish(trailers=await carry(rpc, receive, exchange, send))
        except grpc.aio.AioRpcError as error:
            return _own_finish(target, error)
        except asyncio.CancelledError:
            rpc.cancel()
            if _cancelled_by_caller():
                raise
            raise _unavailable(target) from None
        except BaseException:
            rpc.cancel()
            raise

    def _forget_methods(self, target: Target) -> None:
        for key in [key for key in self._methods if key[0] is target]:
            del self._methods[key]

    def _method(self, target: Target, method: str, streams: bool) -> Callable[..., Any]:
        key = (target, method)
        found = self._methods.get(key)
        if found is None:
            channel = self.channel(target)
            found = channel.unary_stream(method) if streams else channel.unary_unary(method)
            self._methods[key] = found
        return found

    def _timeout(self, target: Target, deadline: Deadline) -> float | None:
        """What is left, for grpc's own deadline; None where nobody set one."""
        remaining = deadline.remaining(self._clock())
        if remaining <= 0:
            raise _too_late(target)
        return None if remaining == float("inf") else remaining


async def _answer(rpc: Any, send: Send) -> None:
    message = await rpc
    if message is not None:  # a target may end a call well without having answered: that is for others to judge
        await send(message)


async def _pump(rpc: Any, send: Send) -> None:
    """Reads the next message only when the caller has taken the last one: that is the back-pressure."""
    while (message := await rpc.read()) is not grpc.aio.EOF:
        await send(message)


def _cancelled_by_caller() -> bool:
    """Whether this task was cancelled; if not, grpc ended the call as "cancelled" because its channel went away."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _finish(target: Target, error: grpc.aio.AioRpcError) -> Finish:
    """The target's own finish; raises CallError where the failure is the connection's or the answer breaks the contract."""
    code = Code(error.code().value[0])
    trailers = _trailers(error.trailing_metadata())
    info = read_error(trailers)
    if info is None:
        _raise_unexplained(target, code, error.details() or "")
    return Finish(code=code, message=error.details() or "", trailers=trailers, reason=info.reason if info else "")


def _own_finish(target: Target, error: grpc.aio.AioRpcError) -> Finish:
    """A routed target's own status, whatever it is; raises CallError where grpc made it, whose text may name addresses."""
    code, text = Code(error.code().value[0]), error.details() or ""
    if (reason := made_by_grpc(code, text)) is not None:
        _log.debug("target %s ended a call with %s: %s", target.name, code.name, text)
        raise _MADE_BY_GRPC[reason](target)
    return Finish(code=code, message=text, trailers=to_caller(tuple(error.trailing_metadata() or ())))


def _raise_unexplained(target: Target, code: Code, text: str) -> None:
    """Raises for a status without details: services always send some, so grpc itself made this one.

    Its text may name addresses or quote an exception; it goes to the log only. Returns for the codes that tell the caller
    something about its own request.
    """
    _log.debug("target %s ended a call with %s: %s", target.name, code.name, text)
    if code in (Code.UNAVAILABLE, Code.CANCELLED):
        raise _unavailable(target)
    if code is Code.DEADLINE_EXCEEDED:
        raise _too_late(target)
    if code is Code.RESOURCE_EXHAUSTED and "CLIENT: Received message larger" in text:
        raise _too_large(target)
    if code in (Code.UNKNOWN, Code.INTERNAL, Code.UNIMPLEMENTED, Code.DATA_LOSS):
        raise _contract_violated(target, code)


def _unavailable(target: Target) -> CallError:
    return CallError(
        Reason.TARGET_UNAVAILABLE,
        f"The connection to {target.name} could not be made or broke. Try again shortly; `firebreak status` says more.",
        metadata={"target": target.name},
    )


def _too_late(target: Target) -> CallError:
    return CallError(
        Reason.DEADLINE_EXCEEDED,
        f"{target.name} did not answer before the deadline. Allow more time or ask for less.",
        metadata={"target": target.name},
    )


def _too_large(target: Target) -> CallError:
    return CallError(
        Reason.RESPONSE_TOO_LARGE,
        f"The answer of {target.name} is larger than its limits.response_bytes. Ask for less.",
        metadata={"target": target.name},
    )


def _contract_violated(target: Target, code: Code) -> CallError:
    return CallError(
        Reason.CONTRACT_VIOLATED,
        f"{target.name} ended the call with {code.name} and without saying why. Its log has the cause.",
        metadata={"target": target.name},
    )


_MADE_BY_GRPC: dict[Reason, Callable[[Target], CallError]] = {
    Reason.TARGET_UNAVAILABLE: _unavailable,
    Reason.DEADLINE_EXCEEDED: _too_late,
    Reason.RESPONSE_TOO_LARGE: _too_large,
}


def _trailers(metadata: Any) -> Metadata:
    """A target's trailers without those that belong to the connection."""
    return tuple(
        (key, value)
        for key, value in metadata or ()
        if key == DETAILS_KEY or (not key.startswith(("grpc-", ":")) and key not in _OWN)
    )


def _open(target: Target) -> Any:
    secured, options = target.secured, _options(target)
    if target.address.startswith(_NAME):
        options.append(("grpc.lb_policy_name", "round_robin"))
    if secured is None:
        return grpc.aio.insecure_channel(target.endpoint, options=options)
    credentials = grpc.ssl_channel_credentials(secured.ca, secured.key, secured.certificate)
    if secured.name:
        options.append(("grpc.ssl_target_name_override", secured.name))
    return grpc.aio.secure_channel(target.endpoint, credentials, options=options)


def _options(target: Target) -> list[tuple[str, int | str]]:
    return [
        ("grpc.max_receive_message_length", target.config.limits.response_bytes),
        ("grpc.max_send_message_length", -1),
        # Both equal: between the two grpc would refuse at random.
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
        # The chain alone decides what is sent twice: a MUTATING call never is.
        ("grpc.enable_retries", 0),
        # Settings for the outside world must not redirect calls to services.
        ("grpc.enable_http_proxy", 0),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.use_local_subchannel_pool", 1),
        # A service that comes back is found within a second.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1000),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # So is one that came back, or was replaced, under another address: gRPC would look a name up once in 30 seconds.
        ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ]
