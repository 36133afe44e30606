"""A caller's side of a routed call over grpc's context: its messages one by one, and initial metadata before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc.aio

from gateway.call import Metadata
from gateway.errors import CallError, Reason


class ContextExchange:
    """Implements `gateway.call.Exchange`."""

    def __init__(self, context: Any) -> None:
        """For the handler's task, which grpc cancels when the caller has gone."""
        self._context = context
        self._task = asyncio.current_task()

    async def receive(self) -> bytes | None:
        with _transport():
            message = await self._context.read()
            if message is not grpc.aio.EOF:
                return bytes(message)
            # A call that is cancelled reads as one whose caller has said everything, and only a moment later as cancelled.
            # grpc does one thing after the other, so that the answer to a second question comes behind the cancellation.
            await self._context.read()
        if self._task is not None and self._task.cancelling():
            raise asyncio.CancelledError
        return None

    async def header(self, metadata: Metadata) -> None:
        sending = asyncio.ensure_future(self._context.send_initial_metadata(metadata))
        sending.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            with _transport():
                await asyncio.shield(sending)
        finally:
            # Whoever ended the call meanwhile would have grpc send it a second time, which fails.
            await asyncio.wait({sending})


@contextmanager
def _transport() -> Iterator[None]:
    """The chain sees no transport's error: the caller is gone, and cancellation follows."""
    try:
        yield
    except Exception as error:
        raise CallError(Reason.CANCELLED, "The caller has gone.") from error
