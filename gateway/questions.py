"""Questions to another program that go on when the caller who asked has given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Questions(Generic[T]):
    """Those under way. A caller that gives up does not end its question: to a circuit breaker a cancelled one would look like a
    success."""

    def __init__(self, closed: Callable[[], Exception]) -> None:
        """`closed` makes the error of callers whose question `close` has ended."""
        self._closed = closed
        self._asking: set[asyncio.Task[T]] = set()

    async def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """What `question` returns or raises."""
        task = asyncio.ensure_future(question)
        self._asking.add(task)
        task.add_done_callback(self._asked)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():  # by `close`; the caller itself was not cancelled
                raise self._closed() from None
            raise

    def close(self) -> None:
        """Ends all that are under way."""
        for task in tuple(self._asking):
            task.cancel()

    def _asked(self, task: asyncio.Task[T]) -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # looked at here too, for when the caller has gone
