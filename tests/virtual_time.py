"""An event loop whose clock jumps: waiting costs nothing, and what a test sees of time is exact."""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Never waits: where the loop would sleep until its next timer, the clock jumps there."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing is left that could wake a task: the test would hang")
        self.now += timeout
        return list(super().select(0))


class VirtualLoop(asyncio.SelectorEventLoop):
    """For tests without I/O. Its `time()` starts at 1000 seconds and moves only when every task waits."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs `coroutine` to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


def virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Decorates an async test: it runs in virtual time."""

    @functools.wraps(test)
    def sync(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    del sync.__wrapped__  # type: ignore[attr-defined]  # else pytest-asyncio would run it on its own loop
    sync.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return sync


def clock() -> float:
    """The running loop's time: what stages get as their clock."""
    return asyncio.get_running_loop().time()
