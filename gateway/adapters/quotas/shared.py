"""Shared quotas: asked quickly or not at all. A store that is gone costs calls nothing after a few failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from circuitbreaker import CircuitBreaker

from gateway.adapters.quotas.store import Gone, Store
from gateway.config import Quotas
from gateway.errors import CallError, Reason
from gateway.questions import Questions

_log = structlog.get_logger("firebreak.quotas")

_FAILURES = 3
"""So many in a row, and calls do not ask any more."""

_LOOK = 1
"""Seconds between looks at the store, and until a store that is gone is tried again; never by a call."""

_COME_BACK = 1.0
"""Seconds after which a call that was refused may try again: a store that is back is noticed in that time."""

_PROBE = ("probe", 1e6, 1_000_000)
"""A bucket of its own that is never empty: the same question as those of calls, with the same rights in the store."""


class SharedQuotas:
    """Implements the port gateway.ports.Quotas; `run` watches the store."""

    def __init__(
        self, store: Store, config: Quotas, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._timeout = config.timeout
        self._refuse = config.when_gone == "refuse"
        self._sleep = sleep
        self._breaker = CircuitBreaker(failure_threshold=_FAILURES, recovery_timeout=_LOOK, expected_exception=Gone)
        self._questions = Questions[float](lambda: Gone("the connection to Redis is being closed"))
        self._why = ""
        self._degraded = ""

    async def take(self, name: str, per_second: float, burst: int) -> float:
        """As the port says; raises CallError OVERLOADED where the store is gone and `when_gone` is "refuse"."""
        try:
            if not self._breaker.closed:
                raise Gone(self._why)
            return await self._questions.ask(self._ask(name, per_second, burst))
        except Gone:
            if not self._refuse:
                return 0.0  # the bucket in this process let the call through
            raise CallError(
                Reason.OVERLOADED,
                "The quotas that all gateways share cannot be asked, and without them no call is let in. Try again shortly.",
                retry_after=_COME_BACK,
                quota=name,
            ) from None

    def report(self) -> Mapping[str, str]:
        """`backend`, and why it is not in use; "" when it is."""
        return {"backend": "redis", "degraded": self._degraded}

    async def run(self) -> None:
        """Watches the store until cancelled: one that is gone or back is noticed without calls having to try."""
        while True:
            await self._look()
            failing = bool(self._why) and self._breaker.closed
            await self._sleep(0 if failing else _LOOK)

    async def close(self) -> None:
        """Ends questions under way and every connection."""
        self._questions.close()
        await self._store.close()

    async def _look(self) -> None:
        try:
            await self._ask(*_PROBE)
        except Gone:
            pass  # `_ask` has noted it

    async def _ask(self, name: str, per_second: float, burst: int) -> float:
        """Raises Gone, and keeps in mind how the store is."""
        try:
            wait: float = await self._breaker.call_async(self._in_time, name, per_second, burst)
        except Gone as error:
            self._why = str(error)
            self._note()
            raise
        self._why = ""
        self._note()
        return wait

    async def _in_time(self, name: str, per_second: float, burst: int) -> float:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._store.take(name, per_second, burst)
        except TimeoutError:
            raise Gone(f"Redis at {self._store.address} does not answer within {self._timeout * 1000:g} ms") from None

    def _note(self) -> None:
        """Degraded is what calls do not ask any more; a single question that failed is not."""
        degraded = "" if self._breaker.closed else self._why
        if bool(degraded) != bool(self._degraded):
            if degraded:
                _log.error("shared quotas cannot be asked", error=degraded)
            else:
                _log.info("shared quotas are asked again")
        self._degraded = degraded
