"""How many calls a second one and several replicas answer, how fast, and what is full when they answer no more."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import cpu
from bench.fleet import Fleet, Gateway
from bench.load import Answers, Caller, at_once, at_rate, callers
from bench.usage import Reading, read

SHARES = (0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 2.0)
"""Rates that are tried, as shares of what the gateways' cores would be enough for; more than 1, as the CPU of a call varies."""
ENOUGH = 0.95
"""Of the calls that are made so many are answered in time, or there are too many."""
FULL = 0.9
"""A core that is busy for this share of the time, or more, is what calls wait for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rate: calls a second that were made, what became of them, and the cores' worth of CPU that each process used."""

    rate: float
    answers: Answers
    cores: Mapping[str, float]
    questions: float

    @property
    def enough(self) -> bool:
        return self.answers.good >= ENOUGH * self.rate


@dataclass(frozen=True, slots=True)
class Ramp:
    """Rising rates for some replicas, up to the first that was too much.

    `pinned`: each gateway had a core of its own and everything else the other ones; else all shared all. `call` is the CPU of a
    gateway for one call, in seconds, as it was right before.
    """

    replicas: int
    cores: int
    pinned: bool
    call: float
    steps: tuple[Step, ...]

    @property
    def best(self) -> float:
        """Most calls a second that were answered in time."""
        return max(step.answers.good for step in self.steps)

    @property
    def derived(self) -> float:
        """Calls a second that follow from the CPU of one, if the gateways had a core each."""
        return self.replicas / self.call

    @property
    def bottleneck(self) -> str:
        """What was full at the last rate, in words."""
        used = self.steps[-1].cores
        gateways = sum(share for name, share in used.items() if name.startswith("gateway"))
        ours = sum(share for name, share in used.items() if name != "others")
        if self.steps[-1].enough:
            return "nothing: no rate that was tried is too much"
        if self.pinned and gateways >= FULL * self.replicas:
            return "the gateways: their cores are full"
        if self.pinned and ours - gateways >= FULL * (self.cores - self.replicas):
            return "what makes, answers and counts the calls: their cores are full, the gateways' are not"
        if ours >= FULL * self.cores:
            return "all cores together: gateways, service and generator compete for them"
        if sum(used.values()) >= FULL * self.cores:
            return "other programs on this machine: measure again when it is quiet"
        return "no core: calls waited for something else"


async def ramp(fleet: Fleet, gateways: Sequence[Gateway], seconds: float) -> Ramp:
    """Tries rising rates, each for so many seconds, on the cores that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    pinned = len(usable) > len(gateways)
    own, rest = (usable[: len(gateways)], usable[len(gateways) :]) if pinned else (usable, usable)
    try:
        _pin(fleet, gateways, [[core] for core in own] if pinned else [own] * len(gateways), rest)
        async with callers(fleet, gateways) as made:
            call = await _call(fleet, gateways, made, seconds)
            return Ramp(len(gateways), len(usable), pinned, call, await _steps(fleet, gateways, made, call, seconds))
    finally:
        _pin(fleet, gateways, [usable] * len(gateways), usable)


def _pin(fleet: Fleet, gateways: Sequence[Gateway], own: Sequence[Sequence[int]], rest: Sequence[int]) -> None:
    """Each gateway to cores of its own, what is beside them and this process to the rest."""
    for gateway, cores in zip(gateways, own, strict=True):
        cpu.pin(gateway.pid, cores)
    beside = [gateway.opa for gateway in gateways if gateway.opa]
    database = fleet.postgresql.pid
    for pid in (os.getpid(), fleet.backend, fleet.redis.pid, database, *cpu.children(database), *beside):
        cpu.pin(pid, rest)


async def _call(fleet: Fleet, gateways: Sequence[Gateway], made: Sequence[Caller], seconds: float) -> float:
    """CPU seconds of a gateway for one call, warm."""
    await at_once(made, Caller.call, 16, seconds / 3)
    before = read(fleet, list(gateways))
    calls = await at_once(made, Caller.call, 16, seconds)
    used = read(fleet, list(gateways)).since(before)
    return sum(used.cpu[f"gateway {number}"] for number, _ in enumerate(gateways, 1)) / calls


async def _steps(
    fleet: Fleet, gateways: Sequence[Gateway], made: Sequence[Caller], call: float, seconds: float
) -> tuple[Step, ...]:
    steps: list[Step] = []
    for share in SHARES:
        before = read(fleet, list(gateways))
        rate = share * len(gateways) / call
        answers = await at_rate(made, rate, seconds)
        steps.append(_step(rate, answers, read(fleet, list(gateways)).since(before)))
        if not steps[-1].enough:
            break
    return tuple(steps)


def _step(rate: float, answers: Answers, used: Reading) -> Step:
    cores = {name: seconds / used.at for name, seconds in used.cpu.items()}
    return Step(rate, answers, cores, used.questions / used.at)
