"""The targets and what is known of each now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gateway.adapters.registry.follower import Follower
from gateway.adapters.registry.proving import PROVING, Pace, Prover
from gateway.routes import Method
from gateway.targets import State, Target

_log = logging.getLogger("firebreak.registry")

_LOOK = 0.05
"""Seconds between two looks at the calls of a target that gets no new ones."""

_POLICY_LOOK = 0.1
"""Seconds between two looks at policy's revision."""

__all__ = ["Changes", "Pace", "Prover", "Registry"]


async def _as_before(_target: Target) -> None:
    """Of targets whose address leads nowhere else."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of what is new, configured anew or behind another socket, and gone."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Registry:
    """Implements `gateway.targets.Targets`: one task a target keeps its state and description true.

    A target that takes the place of another is followed beside it first, and gets the calls when it is ready or the other is
    not. One that was replaced or removed gets no new calls, and its connection stays until its last call has ended. None is
    ready before it is proven.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        channel_of: Callable[[Target], Any],
        retire: Callable[[Target], Awaitable[None]],
        pace: Pace,
        renew: Callable[[Target], Any] = lambda _target: None,
        spread: Callable[[Target], Awaitable[Any]] = _as_before,
    ) -> None:
        """`channel_of` gives the channel on which calls reach a target too, `retire` ends it.

        `renew` gives one to whatever instances the target's address leads to by now, and calls go there from then on; None
        where it cannot lead elsewhere. `spread` does the same, and only where it leads to instances that were added.
        """
        self._channel_of = channel_of
        self._retire = retire
        self._renew = renew
        self._spread = spread
        self._begun = False
        self._pace = pace
        self._targets: dict[str, Target] = {}
        self._coming: dict[str, Target] = {}
        self._leaving: list[Target] = []
        self._group: asyncio.TaskGroup | None = None
        self._following: dict[Target, tuple[Follower, asyncio.Task[None]]] = {}
        self._all: tuple[Target, ...] = ()
        self._routed: tuple[Target, ...] = ()
        self._identities: dict[str, str] = {}
        self.put(targets)

    @property
    def identities(self) -> Mapping[str, str]:
        """Names of services by identity, as they are whenever one looks; with those whose calls have not ended yet."""
        return MappingProxyType(self._identities)

    @property
    def leaving(self) -> tuple[Target, ...]:
        """What was replaced or removed and still has calls."""
        return tuple(self._leaving)

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

    def coming(self, name: str) -> Target | None:
        """What is to take the place of the target `name`, None where nothing is."""
        return self._coming.get(name)

    def missing(self) -> dict[str, str]:
        """What a gateway that has just started waits for before it is ready, by name: services that are up, until they are
        proven. Nothing for good once there was nothing.
        """
        new = [target.name for target in self._all if target.state is State.STARTING and target.reason in ("", PROVING)]
        self._begun = self._begun or not new
        return {} if self._begun else {"services": f"{', '.join(new)}: {PROVING}"}

    def put(self, targets: Iterable[Target]) -> Changes:
        """These are the targets from now on. One that is the same as before stays, with all that is known of it."""
        wanted = {target.name: target for target in targets}
        before = set(self._targets)
        for name in before - set(wanted):
            self._drop(self._coming.pop(name, None))
            self._drop(self._targets.pop(name))
        changed = [name for name, target in wanted.items() if name in before and self._replace(target)]
        for name in set(wanted) - before:
            self._targets[name] = wanted[name]
            self._follow(wanted[name])
        self._index()
        return Changes(_sorted(set(wanted) - before), _sorted(changed), _sorted(before - set(wanted)))

    async def run(self, prover: Prover) -> None:
        """Follows every target until cancelled, and has each proven by `prover`."""
        self._prover, seen = prover, prover.revision
        async with asyncio.TaskGroup() as self._group:
            for target in (*self._targets.values(), *self._coming.values()):
                self._follow(target)
            while True:
                await asyncio.sleep(_POLICY_LOOK)
                if (now := prover.revision) != seen:
                    seen = now
                    for follower, _ in self._following.values():
                        follower.policy_changed()

    def _replace(self, target: Target) -> bool:
        """Whether `target` is another one than is wanted so far."""
        name = target.name
        newest = self._coming.get(name, self._targets[name])
        if target.same(newest):
            return False
        self._drop(self._coming.pop(name, None))
        if not target.same(self._targets[name]):
            self._coming[name] = target
            self._follow(target)
            self._settle(name)
        return True

    def _settle(self, name: str) -> None:
        """Lets what is coming take over when it is time."""
        coming = self._coming.get(name)
        if coming is None or (coming.state is not State.READY and self._targets[name].state is State.READY):
            return
        self._drop(self._targets[name])
        self._targets[name] = self._coming.pop(name)
        self._index()
        _log.info("%s: its new configuration or instance has the calls from now on", name)

    def _follow(self, target: Target) -> None:
        if self._group is None:
            return
        proof = self._prover, self._pace, self._group.create_task
        follower = Follower(
            target,
            self._channel_of(target),
            self._pace.retry,
            lambda: self._settle(target.name),
            proof,
            lambda: self._renew(target),
            lambda: self._spread(target),
        )
        self._following[target] = follower, self._group.create_task(follower.run())

    def _drop(self, target: Target | None) -> None:
        """`target` gets no new calls from now on."""
        if target is None or self._group is None:
            return
        self._following.pop(target)[1].cancel()
        self._leaving.append(target)
        self._group.create_task(self._leave(target))

    async def _leave(self, target: Target) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            if not target.calls:
                break
        self._leaving.remove(target)
        self._index()
        await self._retire(target)

    def _index(self) -> None:
        """What is looked up for calls, made anew from what there is."""
        self._all = tuple(self._targets[name] for name in sorted(self._targets))
        self._routed = tuple(target for target in self._all if target.routed is not None)
        known = (*self._leaving, *self._coming.values(), *self._all)
        self._identities.clear()
        self._identities.update({target.identity: target.name for target in known if target.identity})


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
