"""The targets and what is known of each now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from gateway.adapters.registry.follower import Follower
from gateway.routes import Method
from gateway.targets import Target


class Registry:
    """Implements `gateway.targets.Targets`: one task a service keeps its state and description true."""

    def __init__(self, targets: Iterable[Target], channel_of: Callable[[Target], Any], retry: float = 0.25) -> None:
        """`channel_of` gives the channel on which calls reach a target too; `retry` is in seconds."""
        self._targets = {target.name: target for target in sorted(targets, key=lambda t: t.name)}
        self._all = tuple(self._targets.values())
        self._routed = tuple(target for target in self._all if target.routed is not None)
        self._channel_of = channel_of
        self._retry = retry

    def get(self, name: str) -> Target | None:
        return self._targets.get(name)

    def all(self) -> tuple[Target, ...]:
        return self._all

    def method(self, name: str) -> Method | None:
        for target in self._routed:
            assert target.routed is not None
            if (method := target.routed.method(name)) is not None:
                return method
        return None

    async def run(self) -> None:
        """Follows every service until cancelled."""
        async with asyncio.TaskGroup() as group:
            for target in self._all:
                group.create_task(Follower(target, self._channel_of(target), self._retry).run())
