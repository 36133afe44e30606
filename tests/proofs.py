"""A hand-written prover, whose findings a test sets, and a pace that does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.adapters.registry import Pace
from gateway.ports import Clock
from gateway.proof import Promise, Promises, Verdict
from gateway.targets import Target
from tests.virtual_time import clock as loop_time

HELD = (Promise("deny:stranger", Verdict.HELD),)


def promise(name: str, verdict: Verdict, detail: str = "because") -> Promise:
    return Promise(name, verdict, detail)


@dataclass
class FakeProver:
    """Finds what it is told to. `asked` are the parts of proofs that it was asked for, and whose; `hold` makes answers wait."""

    denies: Promises = HELD
    answers: Promises = ()
    walls: Promises = ()
    revision: str = "1"
    asked: list[tuple[str, str]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    waiting: int = 0
    most: int = 0

    async def denied(self, target: Target) -> Promises:
        self.asked.append(("denied", target.name))
        return self.denies

    async def answered(self, target: Target) -> Promises:
        self.asked.append(("answered", target.name))
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            if self.hold is not None:
                await self.hold.wait()
        finally:
            self.waiting -= 1
        return self.answers

    async def enclosed(self, target: Target) -> Promises:
        self.asked.append(("enclosed", target.name))
        return self.walls

    def parts(self) -> list[str]:
        return [part for part, _ in self.asked]


def pace(
    every: float = 60.0,
    retry: float = 0.01,
    count: Callable[[str, Promise], None] = lambda _name, _promise: None,
    clock: Clock = loop_time,
) -> Pace:
    return Pace(every, retry, lambda: 0.5, clock, count)
