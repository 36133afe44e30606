"""CircuitBreaker: what each end of an attempt says about the target, and what goes on record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.call import Attempt, Call
from gateway.config import Breaker, Limits
from gateway.core.circuit import BreakerState
from gateway.core.outcome import Outcome
from gateway.errors import CallError, Code, Reason
from gateway.filters.circuit_breaker import Breakers, circuit_breaker
from gateway.policy import Decision, Obligations, Permit
from gateway.service import Finish, Send
from tests.calls import FakeService, discard, make_call, make_target, takes
from tests.virtual_time import clock, virtual_time

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
DOWN = Finish(Code.UNAVAILABLE)


class Guarded:
    """A breaker before a fake service. With `minimum_calls` 1 a single failure opens it."""

    def __init__(self, *script: Any, limits: Limits | None = None, **settings: Any) -> None:
        defaults = {"minimum_calls": 1, "slow_call": "20s", "open_for": "10s", "probes": 2}
        self.target = make_target(limits=limits, breaker=Breaker(**(defaults | settings)))
        self.inner = FakeService(list(script))
        self.breakers = Breakers(clock)
        self.service = circuit_breaker(self.breakers, clock)(self.inner)
        self.calls: list[Call] = []

    def start(self, send: Send = discard, deadline: float = 30.0, permit: Permit | None = None) -> asyncio.Task[Finish]:
        call = make_call(self.target, deadline=clock() + deadline, started=clock())
        self.calls.append(replace(call, permit=permit))
        return asyncio.ensure_future(self.service(self.calls[-1], send))

    async def end(self, *args: Any, **kwargs: Any) -> Finish | BaseException:
        (ended,) = await asyncio.gather(self.start(*args, **kwargs), return_exceptions=True)
        return ended

    @property
    def state(self) -> BreakerState:
        return self.breakers.get(self.target).state(clock())

    @property
    def counted(self) -> int:
        """Calls that counted, whatever became of the state."""
        return self.breakers.snapshots()["calculator"].calls

    @property
    def attempts(self) -> list[Attempt]:
        return self.calls[-1].facts.attempts


@virtual_time
async def test_passes_messages_and_the_finish_on() -> None:
    got: list[bytes] = []

    async def keep(message: bytes) -> None:
        got.append(message)

    async def stream(send: Send) -> Finish:
        await send(b"1")
        await send(b"2")
        return Finish(message="done")

    guarded = Guarded(stream)
    assert await guarded.end(keep) == Finish(message="done")
    assert got == [b"1", b"2"]


@virtual_time
async def test_an_open_breaker_rejects_at_once_and_says_when_to_come_back() -> None:
    guarded = Guarded(DOWN)
    assert await guarded.end() is DOWN
    await asyncio.sleep(4.0)
    error = await guarded.end()
    assert isinstance(error, CallError)
    assert (error.reason, error.code) == (Reason.CIRCUIT_OPEN, Code.UNAVAILABLE)
    assert error.retry_after == pytest.approx(6.0)
    assert error.metadata == {"target": "calculator"}
    assert (guarded.inner.calls, guarded.attempts) == (1, [])


@virtual_time
async def test_probes_close_it() -> None:
    guarded = Guarded(DOWN, takes(1.0), takes(1.0))
    await guarded.end()
    await asyncio.sleep(10.0)
    probes = [guarded.start() for _ in range(50)]
    ended = await asyncio.gather(*probes, return_exceptions=True)
    assert ended.count(Finish()) == 2
    assert guarded.inner.most == 2
    assert guarded.state is CLOSED


BLAMED = [
    *(Finish(code) for code in (Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.DATA_LOSS)),
    *(Finish(code) for code in (Code.ABORTED, Code.UNIMPLEMENTED)),
    Finish(Code.RESOURCE_EXHAUSTED, reason="MEMORY_EXCEEDED"),
    *(
        CallError(reason, "x")
        for reason in (
            Reason.TARGET_UNAVAILABLE, Reason.WORKER_DIED, Reason.TARGET_NOT_READY, Reason.RESPONSE_TOO_LARGE,
            Reason.CONTRACT_VIOLATED, Reason.AGENT_FAILED, Reason.FIRST_EVENT_TIMEOUT, Reason.IDLE_TIMEOUT,
        )
    ),
]  # fmt: skip
EXCUSED = [
    *(Finish(code) for code in (Code.CANCELLED, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.ALREADY_EXISTS)),
    *(Finish(code) for code in (Code.PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.FAILED_PRECONDITION)),
    *(Finish(code) for code in (Code.OUT_OF_RANGE, Code.RESOURCE_EXHAUSTED)),
    Finish(Code.RESOURCE_EXHAUSTED, reason="CONCURRENCY_LIMITED"),
    CallError(Reason.ARGUMENTS_INVALID, "x"),
    RuntimeError("a bug on this side"),
    asyncio.CancelledError(),
]


@pytest.mark.parametrize("end", BLAMED, ids=repr)
def test_the_target_is_blamed(end: Any) -> None:
    @virtual_time
    async def scenario() -> None:
        guarded = Guarded(end)
        await guarded.end()
        assert guarded.state is OPEN

    scenario()


@pytest.mark.parametrize("end", EXCUSED, ids=repr)
def test_the_target_is_not_blamed_and_not_praised(end: Any) -> None:
    @virtual_time
    async def scenario() -> None:
        guarded = Guarded(end)
        await guarded.end()
        assert (guarded.state, guarded.counted) == (CLOSED, 0)

    scenario()


@virtual_time
async def test_success_counts() -> None:
    guarded = Guarded(Finish())
    await guarded.end()
    assert (guarded.state, guarded.counted) == (CLOSED, 1)


@pytest.mark.parametrize(("allowed", "state"), [(None, OPEN), (1000, OPEN), (2000, OPEN), (999, CLOSED)])
def test_an_answer_too_large_only_for_this_caller_does_not_blame_the_target(
    allowed: int | None, state: BreakerState
) -> None:
    """The target may send 1000 bytes; policy lets this caller receive `allowed`."""
    decision = Decision("0", True, (), Obligations(response_bytes=allowed), "", "embedded")

    @virtual_time
    async def scenario() -> None:
        guarded = Guarded(CallError(Reason.RESPONSE_TOO_LARGE, "x"), limits=Limits(response_bytes="1000B"))
        await guarded.end(permit=Permit(decision))
        assert guarded.state is state

    scenario()


@pytest.mark.parametrize("by", ["cancellation", "target", "gateway"])
@pytest.mark.parametrize(
    ("seconds", "slow_call", "state"),
    [
        (30.0, "20s", OPEN),  # the target had all its time
        (20.0, "20s", OPEN),  # enough to be slow
        (19.0, "20s", CLOSED),  # an impatient caller
        (1.0, "1s", OPEN),
        (0.5, "1s", CLOSED),
        (28.0, "60s", OPEN),  # slow_call is longer than the target's default deadline: nearly all of that is enough
        (26.0, "60s", CLOSED),
    ],
)
def test_a_deadline_blames_a_target_that_had_enough_time(
    by: str, seconds: float, slow_call: str, state: BreakerState
) -> None:
    ends = {
        "cancellation": takes(3600.0),
        "target": takes(seconds, Finish(Code.DEADLINE_EXCEEDED)),
        "gateway": takes(seconds, CallError(Reason.DEADLINE_EXCEEDED, "x")),
    }

    @virtual_time
    async def scenario() -> None:
        guarded = Guarded(ends[by], slow_call=slow_call, limits=Limits(deadline="30s"))
        task = guarded.start(deadline=seconds)
        await asyncio.wait([task], timeout=seconds + 0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert guarded.state is state
        assert [each.code for each in guarded.attempts] == [Code.DEADLINE_EXCEEDED]

    scenario()


@pytest.mark.parametrize(
    ("before", "code", "state"), [(0.05, Code.DEADLINE_EXCEEDED, OPEN), (0.2, Code.CANCELLED, CLOSED)]
)
def test_a_caller_whose_clock_runs_a_little_ahead(before: float, code: Code, state: BreakerState) -> None:
    """Its deadline arrives as a cancellation just before ours; earlier than that it is a change of mind."""

    @virtual_time
    async def scenario() -> None:
        guarded = Guarded(takes(60.0))
        task = guarded.start(deadline=30.0)
        await asyncio.sleep(30.0 - before)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert guarded.attempts == [Attempt(pytest.approx(30.0 - before), code, code.name)]
        assert guarded.state is state

    scenario()


@virtual_time
async def test_cancellation_returns_the_probe_permit() -> None:
    guarded = Guarded(DOWN, takes(60.0), takes(60.0))
    await guarded.end()
    await asyncio.sleep(10.0)
    probes = [guarded.start(), guarded.start()]
    await asyncio.sleep(1.0)
    assert isinstance(await guarded.end(), CallError)
    for probe in probes:
        probe.cancel()
    await asyncio.gather(*probes, return_exceptions=True)
    assert guarded.state is HALF_OPEN
    assert [await guarded.end(), await guarded.end()] == [Finish(), Finish()]
    assert guarded.state is CLOSED


@pytest.mark.parametrize("end", [RuntimeError("a bug"), Finish(Code.NOT_FOUND), Finish(Code.RESOURCE_EXHAUSTED)])
def test_an_ignored_end_returns_the_probe_permit(end: Any) -> None:
    @virtual_time
    async def scenario() -> None:
        guarded = Guarded(DOWN, end, probes=1)
        await guarded.end()
        await asyncio.sleep(10.0)
        await guarded.end()
        assert guarded.state is HALF_OPEN
        assert await guarded.end() == Finish()
        assert guarded.state is CLOSED

    scenario()


@pytest.mark.parametrize(("reading", "slow"), [(False, 1), (True, 0)])
def test_a_slow_reader_is_no_slow_target(reading: bool, slow: int) -> None:
    """Half a minute passes either in the target or in the caller's hands."""

    async def slow_reader(message: bytes) -> None:
        await asyncio.sleep(29.0 if reading else 0.0)

    async def stream(send: Send) -> Finish:
        await asyncio.sleep(0.0 if reading else 29.0)
        await send(b"event")
        return Finish()

    @virtual_time
    async def scenario() -> None:
        guarded = Guarded(stream, minimum_calls=10)
        assert await guarded.end(slow_reader) == Finish()
        assert guarded.breakers.snapshots()["calculator"].slow == slow

    scenario()


@virtual_time
async def test_a_reader_that_never_reads_does_not_open_it() -> None:
    async def never_reads(message: bytes) -> None:
        await asyncio.sleep(3600.0)

    async def stream(send: Send) -> Finish:
        await send(b"event")
        return Finish()

    guarded = Guarded(stream)
    task = guarded.start(never_reads, deadline=30.0)
    await asyncio.sleep(30.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert guarded.attempts[0].code is Code.DEADLINE_EXCEEDED
    assert (guarded.state, guarded.counted) == (CLOSED, 0)


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        (None, Code.OK, ""),
        (Finish(Code.NOT_FOUND, reason="TARGET_UNKNOWN"), Code.NOT_FOUND, "TARGET_UNKNOWN"),
        (CallError(Reason.WORKER_DIED, "x"), Code.UNAVAILABLE, "WORKER_DIED"),
        (RuntimeError("secret"), Code.INTERNAL, "INTERNAL"),
        (asyncio.CancelledError(), Code.CANCELLED, "CANCELLED"),
    ],
)
def test_every_attempt_goes_on_record(end: Any, code: Code, reason: str) -> None:
    @virtual_time
    async def scenario() -> None:
        guarded = Guarded(takes(1.5, end))
        await guarded.end()
        assert guarded.attempts == [Attempt(1.5, code, reason)]

    scenario()


@virtual_time
async def test_each_target_has_its_own_breaker() -> None:
    breakers = Breakers(clock)
    service = circuit_breaker(breakers, clock)(FakeService([DOWN]))
    broken = make_target("python", breaker=Breaker(minimum_calls=1))
    await service(make_call(broken), discard)
    whole = make_target("calculator")
    assert await service(make_call(whole), discard) == Finish()
    assert {name: seen.state for name, seen in breakers.snapshots().items()} == {"python": OPEN, "calculator": CLOSED}
    assert breakers.get(broken) is breakers.get(broken)


def test_a_target_that_is_configured_anew_starts_closed_and_is_the_one_that_shows() -> None:
    breakers, old = Breakers(lambda: 0.0), make_target(breaker=Breaker(minimum_calls=1))
    ticket = breakers.get(old).acquire(0.0)
    assert ticket is not None
    breakers.get(old).record(ticket, Outcome.FAILURE, 0.0)
    assert breakers.snapshots()["calculator"].state is OPEN
    new = make_target()
    assert breakers.get(new).state(0.0) is CLOSED
    assert breakers.snapshots()["calculator"].state is CLOSED
    del old, new
    assert breakers.snapshots() == {}, "what is gone leaves nothing behind"
