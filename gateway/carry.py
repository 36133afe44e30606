"""Carries one routed call over a grpc.aio call to its target: both directions at once, at most one message of each held."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import grpc.aio

from gateway.call import Exchange, Metadata
from gateway.headers import to_caller
from gateway.service import Send

_ALONE = 0.01
"""Seconds after which initial metadata without entries goes to the caller by itself.

A target that ends the call at once sends none, which looks the same until its status is here. The caller should see none
either, and the call may still be tried again.
"""


Receive = Callable[[], Awaitable[bytes | None]]
"""The caller's next message, None after the last."""


def once(request: bytes) -> Receive:
    """The messages of a call that has one, `request`."""
    left = [request]

    async def receive() -> bytes | None:
        return left.pop() if left else None

    return receive


async def carry(rpc: Any, receive: Receive, exchange: Exchange, send: Send) -> Metadata:
    """Runs `rpc`, a streaming call that has been started, to its end with OK; returns its trailers.

    The caller's messages come from `receive` and go out as they come; initial metadata goes to `exchange`. Raises what any of
    these raises; whatever is raised, nothing of the call goes on here.
    """
    pump = _task(_pump(rpc, receive))
    head = _Head(exchange)
    try:
        await _answers(rpc, head, send)
        await head.settle()
        return to_caller(tuple(await rpc.trailing_metadata()))
    except asyncio.CancelledError:
        _raise_cause(pump)
        raise
    except grpc.aio.AioRpcError:
        await head.settle()
        raise
    finally:
        head.close()
        pump.cancel()


async def _answers(rpc: Any, head: _Head, send: Send) -> None:
    """Reads the next message only when the caller has taken the last one: that is the back-pressure."""
    metadata = to_caller(tuple(await rpc.initial_metadata()))
    if metadata:
        await head.send(metadata)
    elif not rpc.done():
        head.send_alone()
    while (message := await rpc.read()) is not grpc.aio.EOF:
        await head.send(())
        await send(message)


async def _pump(rpc: Any, receive: Receive) -> None:
    """The caller's messages on their way to the target, each when the target has room for it; then the half-close."""
    try:
        await rpc.wait_for_connection()
        # Not rpc.write: where the target ends the call while a message is under way, that puts INTERNAL in its status's place.
        write = rpc._cython_call.send_serialized_message
        while (message := await receive()) is not None:
            await write(message)
        await rpc.done_writing()
    except (grpc.aio.InternalError, grpc.aio.AioRpcError):
        pass  # the target has ended the call, and whoever reads learns how
    except BaseException:
        rpc.cancel()  # which ends the reading; _raise_cause says why
        raise


def _raise_cause(pump: asyncio.Task[None]) -> None:
    """Raises what went wrong with the caller's messages, where that is why the call was cancelled."""
    if pump.done() and not pump.cancelled() and (error := pump.exception()) is not None:
        raise error


def _task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task whose failure nobody need look at: the call may have ended in another way meanwhile."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


class _Head:
    """The target's initial metadata on its way to the caller: it goes once, and before any message."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._sent = False
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    async def send(self, metadata: Metadata) -> None:
        """Sends `metadata`, unless some was sent or is being sent."""
        await self.settle()
        if not self._sent:
            self._sent = True
            await self._exchange.header(metadata)

    def send_alone(self) -> None:
        """Sends initial metadata without entries if nothing else comes soon."""
        self._timer = asyncio.get_running_loop().call_later(_ALONE, self._alone)

    async def settle(self) -> None:
        """Waits for what is being sent; from then on nothing goes by itself."""
        self.close()
        if self._sending is not None:
            await self._sending

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _alone(self) -> None:
        self._sent = True
        self._sending = _task(self._exchange.header(()))
