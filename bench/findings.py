"""What bench.replicas found, as tables for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.bearing import WRITERS, Redis
from bench.cost import PLANNED, Cost
from bench.footprint import Footprint
from bench.saturation import Ramp, Step
from bench.shapes import SHARED

_COSTS = (
    "with", "ms a call", "µs an event", "OPA, ms a call", "PostgreSQL, ms a call", "Redis, ms a call",
    "questions to Redis a call", "calls/s a core", "planned calls/s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Findings:
    """`rows` are PostgreSQL's a second by the journal's mode."""

    costs: Sequence[Cost]
    ramps: Sequence[Ramp]
    memory: Footprint
    redis: Redis
    rows: Mapping[str, float]


def as_text(found: Findings) -> str:
    """Markdown."""
    parts = (_costs(found.costs), *map(_ramp, found.ramps), _memory(found.memory), _bearing(found.redis, found.rows))
    return "\n\n".join("\n".join(part) for part in parts)


def _table(*head: str, rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _costs(costs: Sequence[Cost]) -> Iterator[str]:
    yield f"CPU of one gateway, and calls a second that one replica is planned for with {PLANNED:.0%} of a core"
    yield ""
    yield from _table(*_COSTS, rows=map(_cost, costs))


def _cost(cost: Cost) -> tuple[str, ...]:
    shape = cost.shape
    beside = (
        f"{cost.opa * 1e3:.2f}" if shape.opa else "–",
        f"{cost.postgresql * 1e3:.2f}" if shape.journal != "none" else "–",
        f"{cost.redis * 1e3:.2f}" if shape.quotas else "–",
        f"{cost.questions:.1f}" if shape.quotas else "–",
    )
    call, event = f"{cost.call * 1e3:.2f}", f"{cost.event * 1e6:.0f}"
    return shape.name, call, event, *beside, f"{cost.per_core:.0f}", f"{cost.planned:.0f}"


def _ramp(ramp: Ramp) -> Iterator[str]:
    where = "each on a core of its own" if ramp.pinned else f"sharing {ramp.cores} cores with everything else"
    yield f"{ramp.replicas} × {SHARED.name}, {where}: at most {ramp.best:.0f} calls/s in time"
    yield ""
    names = list(ramp.steps[-1].cores)
    head = ("calls/s made", "in time", "p50 ms", "p99 ms", *(f"{name}, cores" for name in names))
    yield from _table(*head, rows=(_step(step, names) for step in ramp.steps))
    yield ""
    yield f"What was full at the end: {ramp.bottleneck}."
    share = f"{ramp.best:.0f} are {ramp.best / ramp.derived:.0%} of that"
    yield f"{ramp.call * 1e3:.2f} ms of CPU a call make {ramp.derived:.0f} calls/s with a core for each gateway; {share}."


def _step(step: Step, names: Sequence[str]) -> tuple[str, ...]:
    answers = step.answers
    times = (f"{answers.quantile(share) * 1e3:.1f}" for share in (0.5, 0.99))
    return f"{answers.offered:.0f}", f"{answers.good:.0f}", *times, *(f"{step.cores[name]:.2f}" for name in names)


def _memory(memory: Footprint) -> Iterator[str]:
    yield "Memory of one gateway with everything"
    yield ""
    yield from _table("", "MiB", rows=((name, f"{size / 2**20:.0f}") for name, size in memory.items()))


def _bearing(redis: Redis, rows: Mapping[str, float]) -> Iterator[str]:
    yield "What the replicas share"
    yield ""
    yield from _table("", "a second", rows=_shared(redis, rows))


def _shared(redis: Redis, rows: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    yield "Redis: questions that one process asked", f"{redis.asked:,.0f}"
    yield f"Redis: questions for one core, {redis.question * 1e6:.0f} µs each", f"{redis.per_core:,.0f}"
    for mode, number in rows.items():
        yield f"PostgreSQL: rows of {WRITERS} writers, {mode}", f"{number:,.0f}"


def as_json(found: Findings) -> dict[str, Any]:
    """An object for programs: seconds, bytes, and numbers a second."""
    return {
        "costs": [_cost_json(cost) for cost in found.costs],
        "ramps": [_ramp_json(ramp) for ramp in found.ramps],
        "memory": found.memory,
        "redis": {"asked": found.redis.asked, "question": found.redis.question, "per_core": found.redis.per_core},
        "rows": dict(found.rows),
    }


def _cost_json(cost: Cost) -> dict[str, Any]:
    names = ("call", "event", "opa", "redis", "postgresql", "questions", "per_core", "planned")
    return {"shape": cost.shape.name, **{name: getattr(cost, name) for name in names}}


def _ramp_json(ramp: Ramp) -> dict[str, Any]:
    names = ("replicas", "cores", "pinned", "call", "derived", "best", "bottleneck")
    return {**{name: getattr(ramp, name) for name in names}, "steps": [_step_json(step) for step in ramp.steps]}


def _step_json(step: Step) -> dict[str, Any]:
    answers = step.answers
    times = {
        name: answers.quantile(share) if answers.latencies else None for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    made = {"offered": answers.offered, "good": answers.good, "failures": dict(answers.failures)}
    return {"rate": step.rate, **made, **times, "cores": dict(step.cores), "questions": step.questions}
