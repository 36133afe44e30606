"""CircuitBreaker stands between retries and the target: each attempt is asked for leave, and each one's end is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from gateway.call import Attempt, Call
from gateway.core.circuit import BreakerSnapshot, CircuitBreaker, Ticket
from gateway.core.outcome import Outcome
from gateway.errors import CallError, Code, Reason
from gateway.ports import Clock
from gateway.routes import Kind
from gateway.service import Filter, Finish, Send, Service
from gateway.targets import Target

_TARGET_FAULTS = frozenset(
    {Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.DATA_LOSS, Code.ABORTED, Code.UNIMPLEMENTED}
)
"""Codes that the target is to blame for. The others say that the request was wrong or came at a wrong time."""

_OFTEN_THE_CALLERS = frozenset({Code.ABORTED, Code.UNIMPLEMENTED})
"""Of those, what a routed service may rightly say: of a conflict, and of a method that it does not have."""

_TARGET_TIMEOUTS = frozenset({Reason.FIRST_EVENT_TIMEOUT, Reason.IDLE_TIMEOUT})
"""Times that the target's own configuration promises, whatever the caller's deadline."""

_CLOCK_SKEW = 0.1
"""Seconds before the deadline from which a cancellation is taken for the deadline.

A caller's clock for the same deadline started before the request arrived, so that its cancellation often wins the race.
"""

_PATIENCE = 0.9
"""Share of a target's default deadline that counts as all of it; stages in front used the rest."""


class Breakers:
    """The breaker of each target; made CLOSED when it is first asked for, gone with its target."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breakers: WeakKeyDictionary[Target, CircuitBreaker] = WeakKeyDictionary()

    def get(self, target: Target) -> CircuitBreaker:
        breaker = self._breakers.get(target)
        if breaker is None:
            breaker = self._breakers[target] = CircuitBreaker(target.config.breaker, self._clock())
        return breaker

    def snapshots(self) -> Mapping[str, BreakerSnapshot]:
        """State and numbers of each breaker, by name; the newest target's where several had it."""
        now = self._clock()
        return {target.name: breaker.snapshot(now) for target, breaker in self._breakers.items()}


@dataclass(slots=True)
class _Trial:
    """One attempt under way: passes its messages on and settles its ticket when it has ended.

    `stalled` adds up the seconds in which the caller did not take a message: a slow reader is no slow target. Nor is one
    whose caller has more to say: up to the end of a streamed request all time is the caller's.
    """

    call: Call
    breaker: CircuitBreaker
    ticket: Ticket
    send: Send
    clock: Clock
    stalled: float = 0.0

    async def __call__(self, message: bytes) -> None:
        before = self.clock()
        try:
            await self.send(message)
        finally:
            now = self.clock()
            self.stalled += now - max(before, self._asked(now))

    def settle(self, ended: Finish | BaseException) -> None:
        now = self.clock()
        attempt = _attempt(ended, now - self.ticket.started, self.call.deadline.remaining(now))
        self.call.facts.attempts.append(attempt)
        waited = self._asked(now) - self.ticket.started + self.stalled
        self.breaker.record(self.ticket, judge(ended, attempt, self.call, waited), now, waited)

    def _asked(self, now: float) -> float:
        """When the target had the whole request; `now` where it has not yet."""
        if not self.call.method.streams_request:
            return self.ticket.started
        return now if self.call.facts.asked is None else self.call.facts.asked


def circuit_breaker(breakers: Breakers, clock: Clock) -> Filter:
    """Rejects with CIRCUIT_OPEN while the target's breaker is open; puts every attempt on the call's record.

    An attempt's ticket is always settled, however the attempt ends.
    """

    def wrap(inner: Service) -> Service:
        async def guarded(call: Call, send: Send) -> Finish:
            assert call.target is not None  # Validate comes first
            breaker = breakers.get(call.target)
            now = clock()
            ticket = breaker.acquire(now)
            if ticket is None:
                raise _rejected(call.target, breaker.retry_after(now))
            trial = _Trial(call, breaker, ticket, send, clock)
            try:
                finish = await inner(call, trial)
            except BaseException as error:
                trial.settle(error)
                raise
            trial.settle(finish)
            return finish

        return guarded

    return wrap


def judge(ended: Finish | BaseException, attempt: Attempt, call: Call, stalled: float) -> Outcome:
    """What an attempt that `ended` so says about its target. `stalled` are the seconds that it waited for its caller.

    What one caller's own limits bring about is IGNORED: nobody may cut a target off for others.
    """
    if attempt.code is Code.OK:
        return Outcome.SUCCESS
    if not isinstance(ended, Finish | CallError | asyncio.CancelledError):
        return Outcome.IGNORED  # a bug on this side, or a caller whose connection broke
    return Outcome.FAILURE if _to_blame(attempt, call, stalled) else Outcome.IGNORED


def _to_blame(attempt: Attempt, call: Call, stalled: float) -> bool:
    assert call.target is not None  # Validate comes first
    if attempt.code is Code.DEADLINE_EXCEEDED:
        return attempt.reason in _TARGET_TIMEOUTS or attempt.seconds - stalled >= _enough(call.target)
    if attempt.reason == Reason.RESPONSE_TOO_LARGE:
        return not _limited_by_policy(call, call.target)
    if call.method.kind is Kind.SERVICE and attempt.code in _OFTEN_THE_CALLERS:
        return False
    return attempt.code in _TARGET_FAULTS or attempt.reason == Reason.MEMORY_EXCEEDED


def _enough(target: Target) -> float:
    """Seconds in which the target should have answered, whatever the deadline."""
    return min(target.config.breaker.slow_call, target.config.limits.deadline * _PATIENCE)


def _limited_by_policy(call: Call, target: Target) -> bool:
    """Whether the caller may receive less than the target may send."""
    allowed = call.permit.decision.obligations.response_bytes if call.permit else None
    return allowed is not None and allowed < target.config.limits.response_bytes


def _attempt(ended: Finish | BaseException, seconds: float, remaining: float) -> Attempt:
    match ended:
        case Finish():
            return Attempt(seconds, ended.code, ended.reason)
        case CallError():
            return Attempt(seconds, ended.code, ended.reason.value)
        case asyncio.CancelledError() if remaining <= _CLOCK_SKEW:
            return Attempt(seconds, Code.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED.value)
        case asyncio.CancelledError():
            return Attempt(seconds, Code.CANCELLED, Reason.CANCELLED.value)
    return Attempt(seconds, Code.INTERNAL, Reason.INTERNAL.value)


def _rejected(target: Target, retry_after: float) -> CallError:
    return CallError(
        Reason.CIRCUIT_OPEN,
        f'"{target.name}" failed too often or was too slow and gets a rest. Try again in {retry_after:.1f} s.',
        metadata={"target": target.name},
        retry_after=retry_after,
    )
