"""Retry: what, when, how often, and what the caller learns."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest

from gateway.call import Facts
from gateway.config import Effect, Retry
from gateway.errors import CallError, Code, Reason
from gateway.filters.retry import RetryBudgets, retry
from gateway.routes import Kind
from gateway.service import Finish, Send
from tests.calls import FakeService, discard, make_call, make_target, takes
from tests.virtual_time import clock, run, virtual_time

PLENTY = {"budget_ratio": 1.0, "budget_per_second": 100.0}


def died(retry_after: float | None = None) -> CallError:
    return CallError(Reason.WORKER_DIED, "The worker died.", retry_after=retry_after)


class Retrying:
    """A retry stage before a fake service; waits are recorded, and random numbers are the largest."""

    def __init__(
        self, *script: Any, effect: Effect | None = Effect.READ, kind: Kind = Kind.TOOL, **settings: Any
    ) -> None:
        self.target = make_target(kind=kind, effect=effect, retry=Retry(**(PLENTY | settings)))
        self.inner = FakeService(list(script))
        self.waits: list[float] = []
        self.budgets = RetryBudgets(clock)
        self.service = retry(clock, lambda: 0.999999, self.sleep, self.budgets)(self.inner)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 3))
        await asyncio.sleep(seconds)

    async def end(self, send: Send = discard, **call: Any) -> Finish | CallError:
        try:
            return await self.service(make_call(self.target, **call), send)
        except CallError as error:
            return error


@virtual_time
async def test_a_call_that_succeeds_is_made_once() -> None:
    retrying = Retrying()
    assert await retrying.end() == Finish()
    assert (retrying.inner.calls, retrying.waits) == (1, [])


@virtual_time
async def test_the_caller_does_not_notice_a_failure_that_passes() -> None:
    retrying = Retrying(died(), CallError(Reason.TARGET_UNAVAILABLE, "Gone."))
    assert await retrying.end() == Finish()
    assert retrying.inner.calls == 3


TRANSIENT = [
    CallError(Reason.WORKER_DIED, "x"),
    CallError(Reason.TARGET_UNAVAILABLE, "x"),
    Finish(Code.UNAVAILABLE, reason="WORKER_DIED"),
    Finish(Code.UNAVAILABLE, reason="TARGET_UNAVAILABLE"),
]
LASTING = [
    *(CallError(reason, "x") for reason in Reason if reason not in (Reason.WORKER_DIED, Reason.TARGET_UNAVAILABLE)),
    *(Finish(code) for code in Code),
    Finish(Code.UNAVAILABLE, reason="TARGET_NOT_READY"),
    Finish(Code.INTERNAL, reason="WORKER_DIED"),
]


@pytest.mark.parametrize("failure", TRANSIENT, ids=repr)
def test_is_repeated(failure: Any) -> None:
    @virtual_time
    async def scenario() -> None:
        retrying = Retrying(failure)
        assert await retrying.end() == Finish()
        assert retrying.inner.calls == 2

    scenario()


@pytest.mark.parametrize("failure", LASTING, ids=repr)
def test_is_not_repeated(failure: Any) -> None:
    @virtual_time
    async def scenario() -> None:
        retrying = Retrying(failure, Finish(Code.OK, "another"))
        assert await retrying.end() is failure
        assert retrying.inner.calls == 1

    scenario()


@pytest.mark.parametrize(
    ("kind", "effect", "method", "attempts"),
    [
        (Kind.TOOL, Effect.READ, "/firebreak.v1.ToolService/Call", 3),
        (Kind.TOOL, Effect.IDEMPOTENT, "/firebreak.v1.ToolService/Stream", 3),
        (Kind.TOOL, Effect.MUTATING, "/firebreak.v1.ToolService/Call", 1),
        (Kind.TOOL, Effect.MUTATING, "/firebreak.v1.ToolService/Describe", 3),
        (Kind.AGENT, None, "/firebreak.v1.AgentService/Run", 1),
        (Kind.AGENT, None, "/firebreak.v1.AgentService/Describe", 3),
        (Kind.MODEL, None, "/firebreak.v1.ModelService/Generate", 3),
        (Kind.RETRIEVER, None, "/firebreak.v1.RetrieverService/Retrieve", 3),
        (Kind.EMBEDDING, None, "/firebreak.v1.EmbeddingService/Embed", 3),
    ],
)
def test_only_what_can_do_no_harm(kind: Kind, effect: Effect | None, method: str, attempts: int) -> None:
    @virtual_time
    async def scenario() -> None:
        retrying = Retrying(*(died() for _ in range(9)), kind=kind, effect=effect)
        assert isinstance(await retrying.end(method=method), CallError)
        assert retrying.inner.calls == attempts

    scenario()


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts(attempts: int) -> None:
    @virtual_time
    async def scenario() -> None:
        retrying = Retrying(*(died() for _ in range(9)), attempts=attempts)
        assert isinstance(await retrying.end(), CallError)
        assert (retrying.inner.calls, len(retrying.waits)) == (attempts, attempts - 1)

    scenario()


@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        ({"backoff": "100ms", "backoff_max": "10s"}, [0.1, 0.2, 0.4, 0.8]),
        ({"backoff": "200ms", "backoff_max": "10s"}, [0.2, 0.4, 0.8, 1.6]),
        ({"backoff": "100ms", "backoff_max": "250ms"}, [0.1, 0.2, 0.25, 0.25]),
    ],
)
def test_backoff_and_its_maximum(settings: dict[str, str], waits: list[float]) -> None:
    @virtual_time
    async def scenario() -> None:
        retrying = Retrying(*(died() for _ in range(9)), attempts=5, **settings)
        await retrying.end()
        assert retrying.waits == waits

    scenario()


@pytest.mark.parametrize(("ratio", "retries"), [(0.0, 0), (0.5, 5), (1.0, 10)])
def test_budget_ratio(ratio: float, retries: int) -> None:
    @virtual_time
    async def scenario() -> None:
        retrying = Retrying(*(died() for _ in range(99)), attempts=2, budget_ratio=ratio, budget_per_second=0.0)
        for _ in range(10):
            await retrying.end()
        assert retrying.inner.calls - 10 == retries
        seen = retrying.budgets.snapshots()["calculator"]
        assert (seen.granted, seen.refused) == (retries, 10 - retries)

    scenario()


@pytest.mark.parametrize(("per_second", "retries"), [(0.0, 0), (1.0, 1), (3.0, 3)])
def test_budget_per_second(per_second: float, retries: int) -> None:
    @virtual_time
    async def scenario() -> None:
        retrying = Retrying(
            *(died() for _ in range(99)), attempts=10, backoff="1ms", backoff_max="1ms",
            budget_ratio=0.0, budget_per_second=per_second,
        )  # fmt: skip
        await retrying.end()
        assert len(retrying.waits) == retries
        await asyncio.sleep(1.0)
        await retrying.end()
        assert len(retrying.waits) == 2 * retries

    scenario()


@virtual_time
async def test_calls_that_are_never_repeated_earn_no_budget() -> None:
    retrying = Retrying(effect=Effect.MUTATING, budget_per_second=0.0)
    for _ in range(10):
        await retrying.end()
    assert retrying.budgets.snapshots() == {}
    assert retrying.budgets.get(retrying.target).snapshot(clock()).balance == 0.0


@pytest.mark.parametrize(("left", "calls"), [(0.0999, 1), (0.101, 2)])
def test_only_if_the_wait_ends_before_the_deadline(left: float, calls: int) -> None:
    @virtual_time
    async def scenario() -> None:
        retrying = Retrying(died(), backoff="100ms", budget_ratio=0.0, budget_per_second=1.0)
        await retrying.end(deadline=clock() + left)
        assert retrying.inner.calls == calls
        assert retrying.budgets.snapshots()["calculator"].granted == calls - 1  # a retry not made is not paid for

    scenario()


@virtual_time
async def test_time_that_attempts_took_counts() -> None:
    retrying = Retrying(*(takes(1.0, died()) for _ in range(9)), attempts=9, backoff="10ms", backoff_max="10ms")
    await retrying.end(deadline=clock() + 3.025)
    assert retrying.inner.calls == 3


@virtual_time
async def test_never_after_the_first_message() -> None:
    got: list[bytes] = []

    async def keep(message: bytes) -> None:
        got.append(message)

    async def one_message(send: Send) -> Finish:
        await send(b"half an answer")
        raise died()

    retrying = Retrying(one_message)
    assert isinstance(await retrying.end(keep), CallError)
    assert (retrying.inner.calls, got) == (1, [b"half an answer"])


@virtual_time
async def test_never_after_a_first_message_that_may_not_have_arrived() -> None:
    async def broken(message: bytes) -> None:
        raise died()

    async def one_message(send: Send) -> Finish:
        await send(b"half an answer")
        return Finish()

    retrying = Retrying(one_message)
    assert isinstance(await retrying.end(broken), CallError)
    assert retrying.inner.calls == 1


@virtual_time
async def test_the_caller_gets_the_last_attempts_error_without_advice_to_retry() -> None:
    last = died(retry_after=2.0)
    retrying = Retrying(CallError(Reason.TARGET_UNAVAILABLE, "first"), died(), last)
    assert await retrying.end() is last
    assert last.retry_after is None


@virtual_time
async def test_a_mutating_calls_error_loses_its_advice_too() -> None:
    error = died(retry_after=2.0)
    assert await Retrying(error, effect=Effect.MUTATING).end() is error
    assert error.retry_after is None


@virtual_time
async def test_a_rejection_keeps_its_advice() -> None:
    """Nothing was tried, so that a repeat is safe."""
    error = CallError(Reason.CIRCUIT_OPEN, "Resting.", retry_after=2.0)
    assert await Retrying(error).end() is error
    assert error.retry_after == 2.0


@virtual_time
async def test_a_breaker_that_opens_between_attempts_does_not_hide_what_the_target_did() -> None:
    tried = died()
    retrying = Retrying(tried, CallError(Reason.CIRCUIT_OPEN, "Resting.", retry_after=2.0))
    assert await retrying.end() is tried
    assert (retrying.inner.calls, tried.retry_after) == (2, None)


@virtual_time
async def test_cancelled_while_it_waits() -> None:
    retrying = Retrying(died(), backoff="1s")
    task = asyncio.ensure_future(retrying.end())
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert retrying.inner.calls == 1


@virtual_time
async def test_a_bug_is_not_repeated() -> None:
    retrying = Retrying(RuntimeError("a bug"))
    with pytest.raises(RuntimeError):
        await retrying.end()
    assert retrying.inner.calls == 1


@virtual_time
async def test_each_target_has_its_own_budget() -> None:
    budgets = RetryBudgets(clock)
    spent, other = make_target("python", retry=Retry(budget_per_second=1.0)), make_target("calculator")
    assert budgets.get(spent).withdraw(clock())
    assert not budgets.get(spent).withdraw(clock())
    assert budgets.get(other).withdraw(clock())


class _Weak(Facts):
    """Facts that a weak reference can point to."""


def test_a_failed_call_leaves_no_cycle_behind() -> None:
    """Its request must go when the call ends, not when the collector comes: failures come in storms."""

    async def dies(send: Send) -> Finish:
        raise died()

    async def failing() -> weakref.ref[_Weak]:
        facts = _Weak(0.0)
        call = replace(make_call(make_target()), facts=facts)
        service = retry(clock, lambda: 0.0, asyncio.sleep)(FakeService([dies, dies, dies]))
        try:
            await service(call, discard)
        except CallError:
            return weakref.ref(facts)
        raise AssertionError("the call should have failed")

    gc.collect()
    gc.disable()
    try:
        assert run(failing())() is None
    finally:
        gc.enable()
