"""The circuit breaker of one target: a state machine without clock, lock or I/O.

CLOSED passes calls and counts how they end. OPEN rejects them, so that a failing target gets a rest and callers an answer
at once. HALF_OPEN passes a few probes and lets them decide. Every change of state starts a new generation; a call that
began in an older one changes nothing when it ends, however late.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.core.outcome import Outcome
from gateway.core.outcome_window import OutcomeWindow

_PROBE_WAIT = 1.0
"""Seconds to wait for the verdict of probes under way; how long they take is not known, so this is advice."""


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerSettings(Protocol):
    """When to open and how to close; `gateway.config.Breaker` has these fields and says what they mean. In seconds."""

    @property
    def window(self) -> float: ...
    @property
    def minimum_calls(self) -> int: ...
    @property
    def error_rate(self) -> float: ...
    @property
    def slow_call(self) -> float: ...
    @property
    def slow_rate(self) -> float: ...
    @property
    def open_for(self) -> float: ...
    @property
    def probes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave for one attempt. Whoever holds it hands it back to `record` exactly once, whatever happened."""

    generation: int
    started: float


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A breaker's numbers at one instant.

    `calls`, `failures` and `slow` are those of the window, `probes` are in flight now; `opened` and `rejected` count
    since the start of the process. `retry_after` is in seconds.
    """

    state: BreakerState
    calls: int
    failures: int
    slow: int
    probes: int
    opened: int
    rejected: int
    retry_after: float


class CircuitBreaker:
    """Decides which attempts may go to one target. `now` is always monotonic seconds."""

    def __init__(self, settings: BreakerSettings, now: float) -> None:
        self._settings = settings
        self._window = OutcomeWindow(settings.window)
        self._state = BreakerState.CLOSED
        self._generation = 0
        self._open_until = now
        self._probing = 0
        self._passed = 0
        self._passed_slowly = 0
        self._opened = 0
        self._rejected = 0

    def state(self, now: float) -> BreakerState:
        """OPEN turns into HALF_OPEN by time alone."""
        if self._state is BreakerState.OPEN and now >= self._open_until:
            return BreakerState.HALF_OPEN
        return self._state

    def acquire(self, now: float) -> Ticket | None:
        """Leave for an attempt, or None: rejected."""
        if self._state is BreakerState.OPEN and now >= self._open_until:
            self._enter(BreakerState.HALF_OPEN)
        if self._state is BreakerState.CLOSED:
            return Ticket(self._generation, now)
        if self._state is BreakerState.HALF_OPEN and self._probing + self._passed < self._settings.probes:
            self._probing += 1
            return Ticket(self._generation, now)
        self._rejected += 1
        return None

    def record(self, ticket: Ticket, outcome: Outcome, now: float, stalled: float = 0.0) -> None:
        """Takes an attempt's outcome. `stalled` are the seconds of it in which the target waited for its caller."""
        if ticket.generation != self._generation:
            return
        slow = now - ticket.started - stalled > self._settings.slow_call
        if self._state is BreakerState.HALF_OPEN:
            self._judge_probe(outcome, slow, now)
        elif outcome is not Outcome.IGNORED:
            self._count(outcome is Outcome.FAILURE, slow, now)

    def retry_after(self, now: float) -> float:
        """Seconds until a rejected call is worth repeating; 0.0 when it would pass now."""
        match self.state(now):
            case BreakerState.OPEN:
                return self._open_until - now
            case BreakerState.HALF_OPEN if self._probing + self._passed >= self._settings.probes:
                return min(_PROBE_WAIT, self._settings.open_for)
        return 0.0

    def snapshot(self, now: float) -> BreakerSnapshot:
        counts = self._window.counts(now)
        return BreakerSnapshot(
            state=self.state(now),
            calls=counts.calls,
            failures=counts.failures,
            slow=counts.slow,
            probes=self._probing,
            opened=self._opened,
            rejected=self._rejected,
            retry_after=self.retry_after(now),
        )

    def _count(self, failed: bool, slow: bool, now: float) -> None:
        # Judged on every outcome, not only on failures: the call that makes up the minimum may be a success.
        counts = self._window.add(now, failed=failed, slow=slow)
        if counts.calls >= self._settings.minimum_calls and (
            counts.failures / counts.calls >= self._settings.error_rate
            or counts.slow / counts.calls >= self._settings.slow_rate
        ):
            self._open(now)

    def _judge_probe(self, outcome: Outcome, slow: bool, now: float) -> None:
        """One failure opens again; IGNORED only gives its permit back; the last of `probes` successes decides."""
        self._probing -= 1
        if outcome is Outcome.FAILURE:
            self._open(now)
        elif outcome is Outcome.SUCCESS:
            self._passed += 1
            self._passed_slowly += slow
            if self._passed == self._settings.probes:
                self._conclude(now)

    def _conclude(self, now: float) -> None:
        # A target that answers its probes as slowly as it did when it was cut off has not recovered.
        if self._passed_slowly / self._passed >= self._settings.slow_rate:
            self._open(now)
        else:
            self._enter(BreakerState.CLOSED)

    def _open(self, now: float) -> None:
        self._opened += 1
        self._open_until = now + self._settings.open_for
        self._enter(BreakerState.OPEN)

    def _enter(self, state: BreakerState) -> None:
        self._state = state
        self._generation += 1
        self._window.clear()
        self._probing = self._passed = self._passed_slowly = 0
