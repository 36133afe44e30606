"""The one door out of a service: calls through the gateway, sync and async, with what the running call brings along."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
import grpc.aio

from firebreak_runtime.context import current
from firebreak_runtime.remote.failures import Failure, RemoteError, from_rpc
from firebreak_runtime.remote.token import Token, TokenFile
from firebreak_runtime.remote.trace import current_traceparent

if TYPE_CHECKING:
    from firebreak.client import Tls

R = TypeVar("R")

OUTSIDE_TIMEOUT = 60.0
"""Seconds for a call that is made outside of any served call and names no timeout, such as an ordinary program's."""

_OPTIONS = (
    ("grpc.enable_retries", 0),  # the gateway retries, from a budget and only what is safe
    ("grpc.initial_reconnect_backoff_ms", 100),  # a restarted gateway is found again within a second, not twenty
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),  # the proxy of a service with egress leads elsewhere
    ("grpc.max_receive_message_length", -1),  # the gateway bounds what comes back
    ("grpc.max_send_message_length", -1),
)


@dataclass(frozen=True)
class Rpc(Generic[R]):
    """A method: its full name and the type of its response messages."""

    name: str
    response: type[R]


class Gateway:
    """Calls `target`s behind the gateway at `address` ("unix:path" or "host:port"), as whoever the token says.

    `token` is a file, or where else a token comes from. `tls` is for an address that needs more than the certificates that
    this machine trusts.

    A grpc.aio channel belongs to one event loop, so there is one for each, and one for sync callers. Make it
    after the fork: a channel does not survive one. Every failure is a RemoteError; a cancelled caller cancels its call.
    """

    def __init__(self, address: str, token: Path | Token, tls: Tls | None = None) -> None:
        self._address = address
        self._token = TokenFile(token) if isinstance(token, Path) else token
        self._tls = tls
        self._lock = threading.Lock()
        self._sync: grpc.Channel | None = None
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, grpc.aio.Channel] = (
            weakref.WeakKeyDictionary()
        )

    def call(self, rpc: Rpc[R], target: str, request: Any, timeout: float | None = None) -> R:
        """One answer, for sync callers; blocks the thread."""
        metadata, seconds = self._metadata(target), _remaining(target, timeout)
        method = self._channel().unary_unary(rpc.name, _serialized, rpc.response.FromString)  # type: ignore[attr-defined]
        try:
            answer: R = method(request, timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise from_rpc(error, target) from None
        return answer

    def stream(self, rpc: Rpc[R], target: str, request: Any, timeout: float | None = None) -> Generator[R, None, None]:
        """Answers as they come, for sync callers. Closing the iterator cancels the call."""
        metadata, seconds = self._metadata(target), _remaining(target, timeout)
        method = self._channel().unary_stream(rpc.name, _serialized, rpc.response.FromString)  # type: ignore[attr-defined]
        call = method(request, timeout=seconds, metadata=metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise from_rpc(error, target) from None
        finally:
            call.cancel()

    async def acall(self, rpc: Rpc[R], target: str, request: Any, timeout: float | None = None) -> R:
        """One answer. Cancelling the task cancels the call."""
        metadata, seconds = self._metadata(target), _remaining(target, timeout)
        method = self._loop_channel().unary_unary(rpc.name, _serialized, rpc.response.FromString)  # type: ignore[attr-defined]
        try:
            answer: R = await method(request, timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise from_rpc(error, target) from None
        return answer

    async def astream(
        self, rpc: Rpc[R], target: str, request: Any, timeout: float | None = None
    ) -> AsyncGenerator[R, None]:
        """Answers as they come. Cancelling the task or closing the iterator cancels the call."""
        metadata, seconds = self._metadata(target), _remaining(target, timeout)
        method = self._loop_channel().unary_stream(rpc.name, _serialized, rpc.response.FromString)  # type: ignore[attr-defined]
        call = method(request, timeout=seconds, metadata=metadata)
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise from_rpc(error, target) from None
        finally:
            call.cancel()

    def close(self) -> None:
        """Closes the sync callers' channel."""
        with self._lock:
            channel, self._sync = self._sync, None
        if channel is not None:
            channel.close()

    async def aclose(self) -> None:
        """Closes the channel of the running event loop."""
        channel = self._by_loop.pop(asyncio.get_running_loop(), None)
        if channel is not None:
            await channel.close()

    def _channel(self) -> grpc.Channel:
        with self._lock:
            if self._sync is None:
                self._sync = _open(grpc, self._address, self._tls)
            return self._sync

    def _loop_channel(self) -> grpc.aio.Channel:
        loop = asyncio.get_running_loop()
        channel = self._by_loop.get(loop)
        if channel is None:
            channel = self._by_loop[loop] = _open(grpc.aio, self._address, self._tls)
        return channel

    def _metadata(self, target: str) -> tuple[tuple[str, str], ...]:
        try:
            token = self._token.token()
        except (OSError, UnicodeDecodeError):
            raise RemoteError(Failure(target, "CREDENTIALS_MISSING", "the token cannot be read")) from None
        context = current.get(None)
        pairs = (
            ("authorization", f"Bearer {token}" if token else ""),
            ("firebreak-session", context.session if context else ""),
            ("traceparent", (context.traceparent if context else "") or current_traceparent()),
        )
        return tuple(pair for pair in pairs if pair[1])


def _remaining(target: str, timeout: float | None) -> float:
    """Seconds that the call may take: what is left of the served call, and no more than `timeout`; outside of one `timeout`."""
    context = current.get(None)
    given = OUTSIDE_TIMEOUT if timeout is None else timeout
    left = context.deadline - time.monotonic() if context else given
    seconds = left if timeout is None else min(left, timeout)
    if seconds <= 0:
        raise RemoteError(Failure(target, "DEADLINE_EXCEEDED", "there is no time left for this call"))
    return seconds


def _serialized(request: Any) -> bytes:
    data: bytes = request.SerializeToString()
    return data


def _open(module: Any, address: str, tls: Tls | None) -> Any:
    """A channel: plain to a unix socket or loopback, TLS to anything else, so that no token crosses a network in the open."""
    if tls is not None:
        options = [*_OPTIONS, *([("grpc.ssl_target_name_override", tls.server_name)] if tls.server_name else [])]
        return module.secure_channel(address, tls.credentials(), options=options)
    host = address.rsplit(":", 1)[0]
    if address.startswith("unix:") or host in ("127.0.0.1", "localhost", "[::1]"):
        return module.insecure_channel(address, options=_OPTIONS)
    return module.secure_channel(address, grpc.ssl_channel_credentials(), options=_OPTIONS)
