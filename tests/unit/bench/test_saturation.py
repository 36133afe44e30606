"""What a benchmark says of its own figures."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import grpc
import grpc.aio
import pytest

from bench.cost import Cost
from bench.load import PATIENCE, Answers, Caller, CallFailed, at_once, at_rate
from bench.saturation import Ramp, Step
from bench.shapes import PLAIN


def step(good: int = 50, **cores: float) -> Step:
    named = {name.replace("_", " "): share for name, share in cores.items()}
    return Step(100.0, Answers(1.0, 1.0, (0.01,) * good, Counter(UNAVAILABLE=100 - good)), named, 0.0)


def ramp(last: Step, replicas: int = 1, pinned: bool = True) -> Ramp:
    return Ramp(replicas, 2, pinned, 0.002, (step(good=96), last))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (ramp(step(gateway_1=0.9, generator=0.5)), "the gateways"),
        (ramp(step(gateway_1=0.89, generator=0.9)), "what makes, answers and counts the calls"),
        (ramp(step(gateway_1=0.5, gateway_2=0.5, service=0.8), 2, pinned=False), "all cores together"),
        (ramp(step(gateway_1=0.5, generator=0.3, others=1.0)), "other programs"),
        (ramp(step(gateway_1=0.5, generator=0.3, others=0.9)), "no core"),
        (ramp(step(good=95, gateway_1=1.0)), "nothing"),
    ],
)
def test_what_was_full_is_told(made: Ramp, words: str) -> None:
    assert made.bottleneck.startswith(words)


@pytest.mark.parametrize(("good", "enough"), [(95, True), (94, False)])
def test_a_rate_is_too_much_when_more_than_one_in_twenty_calls_fails(good: int, enough: bool) -> None:
    assert step(good=good).enough is enough


def test_what_one_core_is_enough_for_and_what_is_planned() -> None:
    cost = Cost(PLAIN, call=0.002, event=0.0, opa=0.0, redis=0.0, postgresql=0.0, questions=0.0)
    assert (cost.per_core, cost.planned) == (500, pytest.approx(350))
    two = ramp(step(), replicas=2)
    assert (two.derived, two.best) == (1000, 96)


def test_quantiles() -> None:
    answers = Answers(2.0, 2.0, tuple(number / 100 for number in reversed(range(101))), Counter(UNAVAILABLE=99))
    assert [answers.quantile(share) for share in (0.5, 0.99, 1)] == [0.5, 0.99, 1.0]
    assert (answers.offered, answers.good) == (100, 50.5)
    assert Answers(1.0, 1.0, (), Counter()).quantile(0.5) == float("inf")


def test_calls_that_heap_up_are_not_answered_at_the_rate_at_which_they_came() -> None:
    answers = Answers(1.0, 2.0, (0.9,) * 100, Counter())
    assert (answers.offered, answers.good) == (100, 50)
    assert not Step(100.0, answers, {}, 0.0).enough


async def test_calls_at_a_rate_are_counted_whatever_becomes_of_them() -> None:
    asked: list[float] = []

    async def every_other_fails(_request: bytes, *, metadata: Any, timeout: float) -> None:
        asked.append(timeout)
        if len(asked) % 2 == 0:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing)

    answers = await at_rate([Caller(every_other_fails, None, ())], 1000, 0.02)
    assert (len(answers.latencies), answers.failures) == (10, Counter(UNAVAILABLE=10))
    assert asked == [PATIENCE] * 20


async def test_a_call_that_fails_has_no_cost() -> None:
    async def fails(_request: bytes, **_options: Any) -> None:
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "gone")

    with pytest.raises(CallFailed, match="UNAVAILABLE: gone"):
        await at_once([Caller(fails, None, ())], Caller.call, 3, 0.0)


async def test_so_many_calls_at_once_are_in_flight() -> None:
    now, most = 0, 0

    async def each(_caller: str) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    assert await at_once(["ada"], each, 5, 0.0) == 5  # type: ignore[list-item, arg-type]
    assert most == 5
