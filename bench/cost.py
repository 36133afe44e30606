"""CPU time of a gateway for a call and for an event of a stream, in every shape that the chart can give it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench import admin
from bench.fleet import Fleet, Gateway
from bench.load import Caller, at_once, callers
from bench.shapes import Shape
from bench.usage import Reading, read

ROUNDS = 3
AT_ONCE = 16
STREAMS = 4
"""Streams in flight at a time."""
EVENTS = 200
"""Events of each stream."""
PLANNED = 0.7
"""The part of a core that is planned to be used: above it calls wait for each other and p99 grows fast."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds: of the gateway for one authorized unary `call` and for one `event` of a stream beyond its call, and for one
    call of the OPA beside it, of Redis and of PostgreSQL. `questions` to Redis for each call."""

    shape: Shape
    call: float
    event: float
    opa: float
    redis: float
    postgresql: float
    questions: float

    @property
    def per_core(self) -> float:
        """Calls a second for which one core is enough."""
        return 1 / self.call

    @property
    def planned(self) -> float:
        """Calls a second that one replica is planned for."""
        return PLANNED * self.per_core


async def measure(fleet: Fleet, gateways: Sequence[Gateway], seconds: float) -> list[Cost]:
    """All gateways in turns, so that whatever else the machine does falls on each; `seconds` for each figure."""
    return [
        _cost(gateway, found) for gateway, found in zip(gateways, await _rounds(fleet, gateways, seconds), strict=True)
    ]


Round = tuple[Reading, int, Reading, int]
"""What calls used and how many they were, and the same of streams."""


async def _rounds(fleet: Fleet, gateways: Sequence[Gateway], seconds: float) -> list[list[Round]]:
    """Of each gateway its rounds; the first one warms up and is dropped."""
    found: list[list[Round]] = [[] for _ in gateways]
    for _ in range(ROUNDS + 1):
        for gateway, rounds in zip(gateways, found, strict=True):
            async with callers(fleet, [gateway]) as made:
                rounds.append(await _round(fleet, gateway, made, seconds / ROUNDS))
    return [rounds[1:] for rounds in found]


async def _round(fleet: Fleet, gateway: Gateway, made: list[Caller], seconds: float) -> Round:
    begun = read(fleet, [gateway])
    calls = await at_once(made, Caller.call, AT_ONCE, seconds)
    await admin.written(gateway)
    between = read(fleet, [gateway])
    streams = await at_once(made, lambda caller: caller.stream(EVENTS), STREAMS, seconds)
    await admin.written(gateway)
    return between.since(begun), calls, read(fleet, [gateway]).since(between), streams


def _cost(gateway: Gateway, rounds: list[Round]) -> Cost:
    def for_a_call(name: str) -> float:
        return statistics.median(used.cpu.get(name, 0.0) / calls for used, calls, _, _ in rounds)

    call = for_a_call("gateway 1")
    stream = statistics.median(used.cpu["gateway 1"] / streams for _, _, used, streams in rounds)
    questions = statistics.median(used.questions / calls for used, calls, _, _ in rounds)
    return Cost(
        gateway.shape,
        call,
        max(0.0, stream - call) / EVENTS,
        opa=for_a_call("opa 1"),
        redis=for_a_call("redis"),
        postgresql=for_a_call("postgresql"),
        questions=questions,
    )
