"""Proves again and again what the gateway itself promises: that nobody is let in who cannot show who they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.ports import Clock
from gateway.proof import Promise, Promises, Proof

_log = logging.getLogger("firebreak.proof")

_SOON = 5.0
"""The longest pause in seconds after a proof in which not all was as it must be."""


class GatewayProver:
    """Keeps the gateway's own `proof`; None before the first."""

    def __init__(
        self,
        prove: Callable[[], Awaitable[Promises]],
        every: float,
        random: Callable[[], float],
        clock: Clock,
        count: Callable[[str, Promise], None],
    ) -> None:
        """`every` seconds, some sooner and some later by `random` in [0, 1). `count` learns of each promise."""
        self.proof: Proof | None = None
        self._prove = prove
        self._every = every
        self._random = random
        self._clock = clock
        self._count = count

    def missing(self) -> dict[str, str]:
        """What keeps the gateway from being ready, by name."""
        if self.proof is None:
            return {"proof": "it is being proven that forged credentials are refused"}
        broken = self.proof.broken
        return {"proof": "; ".join(f"{each.name}: {each.detail}" for each in broken)} if broken else {}

    async def run(self) -> None:
        """Proves until cancelled."""
        while True:
            try:
                sound = self._publish(Proof(await self._prove(), self._clock()))
            except Exception:
                _log.exception("the gateway could not prove its own promises")
                sound = False
            usual = self._every * (0.75 + 0.5 * self._random())
            await asyncio.sleep(usual if sound else min(usual, _SOON))

    def _publish(self, proof: Proof) -> bool:
        for promise in proof.changes(self.proof):
            _log.info("gateway: %s is %s. %s", promise.name, promise.verdict.value, promise.detail)
        for promise in proof.promises:
            self._count("", promise)
        self.proof = proof
        return not (proof.broken or proof.unknown)
