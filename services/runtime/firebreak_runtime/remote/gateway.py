"""The one door out of a service: calls through the gateway, sync and async, with what the running call brings along."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc

from firebreak_runtime.context import current
from firebreak_runtime.remote.channels import Channels, NoCertificates
from firebreak_runtime.remote.failures import Failure, RemoteError, from_rpc
from firebreak_runtime.remote.token import Token, TokenFile
from firebreak_runtime.remote.trace import current_traceparent

if TYPE_CHECKING:
    from firebreak.client import Tls

R = TypeVar("R")

OUTSIDE_TIMEOUT = 60.0
"""Seconds for a call that is made outside of any served call and names no timeout, such as an ordinary program's."""


@dataclass(frozen=True)
class Rpc(Generic[R]):
    """A method: its full name and the type of its response messages."""

    name: str
    response: type[R]


class Gateway:
    """Calls `target`s behind the gateway at `address` ("unix:path" or "host:port"), as whoever the token says.

    `token` is a file, or where else a token comes from. `tls` is for an address that needs more than the certificates that
    this machine trusts.

    Make it after the fork: a channel does not survive one. Every failure is a RemoteError; a cancelled caller cancels its call.
    """

    def __init__(self, address: str, token: Path | Token, tls: Tls | None = None) -> None:
        self._token = TokenFile(token) if isinstance(token, Path) else token
        self._channels = Channels(address, tls)

    def call(self, rpc: Rpc[R], target: str, request: Any, timeout: float | None = None) -> R:
        """One answer, for sync callers; blocks the thread."""
        metadata, seconds = self._metadata(target), _remaining(target, timeout)
        with _told(target), self._channels.sync() as channel:
            method = channel.unary_unary(rpc.name, _serialized, rpc.response.FromString)  # type: ignore[attr-defined]
            answer: R = method(request, timeout=seconds, metadata=metadata)
        return answer

    def stream(self, rpc: Rpc[R], target: str, request: Any, timeout: float | None = None) -> Generator[R, None, None]:
        """Answers as they come, for sync callers. Closing the iterator cancels the call."""
        metadata, seconds = self._metadata(target), _remaining(target, timeout)
        with _told(target), self._channels.sync() as channel:
            method = channel.unary_stream(rpc.name, _serialized, rpc.response.FromString)  # type: ignore[attr-defined]
            call = method(request, timeout=seconds, metadata=metadata)
            try:
                yield from call
            finally:
                call.cancel()

    async def acall(self, rpc: Rpc[R], target: str, request: Any, timeout: float | None = None) -> R:
        """One answer. Cancelling the task cancels the call."""
        metadata, seconds = self._metadata(target), _remaining(target, timeout)
        with _told(target):
            async with self._channels.of_loop() as channel:
                method = channel.unary_unary(rpc.name, _serialized, rpc.response.FromString)  # type: ignore[attr-defined]
                answer: R = await method(request, timeout=seconds, metadata=metadata)
        return answer

    async def astream(
        self, rpc: Rpc[R], target: str, request: Any, timeout: float | None = None
    ) -> AsyncGenerator[R, None]:
        """Answers as they come. Cancelling the task or closing the iterator cancels the call."""
        metadata, seconds = self._metadata(target), _remaining(target, timeout)
        with _told(target):
            async with self._channels.of_loop() as channel:
                method = channel.unary_stream(rpc.name, _serialized, rpc.response.FromString)  # type: ignore[attr-defined]
                call = method(request, timeout=seconds, metadata=metadata)
                try:
                    async for message in call:
                        yield message
                finally:
                    call.cancel()

    def close(self) -> None:
        """Closes the sync callers' channel."""
        self._channels.close()

    async def aclose(self) -> None:
        """Closes the channel of the running event loop."""
        await self._channels.aclose()

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


@contextmanager
def _told(target: str) -> Iterator[None]:
    """Whatever grpc raises becomes a RemoteError."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc(error, target) from None
    except NoCertificates as error:
        raise RemoteError(Failure(target, "CREDENTIALS_MISSING", str(error))) from None


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
