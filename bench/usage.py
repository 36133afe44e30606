"""Who used how much CPU between two readings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import redis

from bench import cpu
from bench.fleet import Fleet, Gateway

Used = Mapping[str, float]
"""CPU seconds by who used them: "gateway 1", "opa 1", "service", "redis", "postgresql", "generator", and "others" for the rest
of the machine, which is known to 10 ms only."""


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds that each has used since it began, the instant, and how often Redis has been asked."""

    cpu: Used
    at: float
    questions: int

    def since(self, before: Reading) -> Reading:
        """What was used between `before` and this."""
        used = {name: max(0.0, seconds - before.cpu[name]) for name, seconds in self.cpu.items()}
        return Reading(used, self.at - before.at, self.questions - before.questions)


def read(fleet: Fleet, gateways: list[Gateway]) -> Reading:
    """Now; `gateways` are those that are looked at."""
    pids = {"service": fleet.backend, "redis": fleet.redis.pid, "postgresql": fleet.postgresql.pid}
    for number, gateway in enumerate(gateways, 1):
        pids[f"gateway {number}"] = gateway.pid
        if gateway.opa:
            pids[f"opa {number}"] = gateway.opa
    used = {name: cpu.family(pid) for name, pid in pids.items()} | {"generator": time.process_time()}
    return Reading(used | {"others": cpu.machine() - sum(used.values())}, time.perf_counter(), _questions(fleet))


def _questions(fleet: Fleet) -> int:
    with redis.Redis.from_url(fleet.redis.address) as client:
        commands = client.info("commandstats")
    return int(commands.get("cmdstat_evalsha", {}).get("calls", 0))
