"""Drives the breaker through any order of calls, ends and pauses, beside a naive model of what it has to do."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.config import Breaker
from gateway.core.circuit import BreakerState, CircuitBreaker, Ticket
from gateway.core.outcome import Outcome

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


@dataclass(frozen=True)
class Ended:
    at: float
    failed: bool
    slow: bool


class BreakerMachine(RuleBasedStateMachine):
    """All instants are multiples of 1/8 s and the window's tenth is 1 s, so that the model can count exactly."""

    @initialize(
        minimum_calls=st.integers(1, 6),
        error_rate=st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0]),
        slow_rate=st.sampled_from([0.1, 0.5, 1.0]),
        slow_call=st.sampled_from([0.25, 2.0]),
        open_for=st.sampled_from([0.5, 3.0, 30.0]),
        probes=st.integers(1, 4),
    )
    def start(
        self, minimum_calls: int, error_rate: float, slow_rate: float, slow_call: float, open_for: float, probes: int
    ) -> None:
        self.settings = Breaker(
            window="10s", minimum_calls=minimum_calls, error_rate=error_rate, slow_rate=slow_rate,
            slow_call=f"{slow_call}s", open_for=f"{open_for}s", probes=probes,
        )  # fmt: skip
        self.now = 1000.0
        self.breaker = CircuitBreaker(self.settings, self.now)
        self.state = CLOSED
        self.open_until = 0.0
        self.ended: list[Ended] = []
        self.current: list[Ticket] = []
        """Tickets given out in this generation and not yet handed back."""
        self.late: list[Ticket] = []
        self.passed: list[bool] = []
        """The probes that succeeded in this HALF_OPEN: whether they were slow."""
        self.opened = 0

    def enter(self, state: BreakerState) -> None:
        self.state = state
        self.late += self.current
        self.current, self.ended, self.passed = [], [], []
        if state is OPEN:
            self.opened += 1
            self.open_until = self.now + self.settings.open_for

    @rule(eighths=st.integers(0, 120))
    def time_passes(self, eighths: int) -> None:
        self.now += eighths / 8

    @rule()
    def a_call_comes(self) -> None:
        if self.state is OPEN and self.now >= self.open_until:
            self.enter(HALF_OPEN)
        admitted = self.state is CLOSED or (
            self.state is HALF_OPEN and len(self.current) + len(self.passed) < self.settings.probes
        )
        ticket = self.breaker.acquire(self.now)
        assert (ticket is not None) is admitted
        if ticket is not None:
            assert ticket.started == self.now
            self.current.append(ticket)
            assert self.breaker.retry_after(self.now) >= 0.0
        else:
            assert 0.0 < self.breaker.retry_after(self.now) <= max(1.0, self.settings.open_for)

    @precondition(lambda self: self.current)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def a_call_ends(self, data: st.DataObject, outcome: Outcome) -> None:
        ticket = self.current.pop(data.draw(st.integers(0, len(self.current) - 1)))
        slow = self.now - ticket.started > self.settings.slow_call
        self.breaker.record(ticket, outcome, self.now)
        if self.state is HALF_OPEN:
            self.judge_probe(outcome, slow)
        elif outcome is not Outcome.IGNORED:
            self.ended.append(Ended(self.now, outcome is Outcome.FAILURE, slow))
            self.judge_window()

    @precondition(lambda self: self.late)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def a_late_call_ends(self, data: st.DataObject, outcome: Outcome) -> None:
        ticket = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        before = self.breaker.snapshot(self.now)
        self.breaker.record(ticket, outcome, self.now)
        assert self.breaker.snapshot(self.now) == before

    def judge_probe(self, outcome: Outcome, slow: bool) -> None:
        if outcome is Outcome.FAILURE:
            self.enter(OPEN)
        elif outcome is Outcome.SUCCESS:
            self.passed.append(slow)
            if len(self.passed) == self.settings.probes:
                still_slow = sum(self.passed) / len(self.passed) >= self.settings.slow_rate
                self.enter(OPEN if still_slow else CLOSED)

    def judge_window(self) -> None:
        seen = self.in_window()
        if len(seen) >= self.settings.minimum_calls and (
            sum(each.failed for each in seen) / len(seen) >= self.settings.error_rate
            or sum(each.slow for each in seen) / len(seen) >= self.settings.slow_rate
        ):
            self.enter(OPEN)

    def in_window(self) -> list[Ended]:
        return [each for each in self.ended if int(self.now) - int(each.at) < 10]

    @invariant()
    def agrees_with_the_model(self) -> None:
        seen, counted = self.breaker.snapshot(self.now), self.in_window()
        expected = HALF_OPEN if self.state is OPEN and self.now >= self.open_until else self.state
        assert seen.state is expected
        assert seen.opened == self.opened
        assert (seen.calls, seen.failures, seen.slow) == (
            len(counted),
            sum(each.failed for each in counted),
            sum(each.slow for each in counted),
        )

    @invariant()
    def never_more_than_its_probes_in_flight(self) -> None:
        seen = self.breaker.snapshot(self.now)
        assert 0 <= seen.probes <= self.settings.probes
        if self.state is HALF_OPEN:
            assert seen.probes == len(self.current)
            assert len(self.current) + len(self.passed) <= self.settings.probes
        else:
            assert seen.probes == 0

    @invariant()
    def looking_changes_nothing(self) -> None:
        assert self.breaker.snapshot(self.now) == self.breaker.snapshot(self.now)
        assert self.breaker.state(self.now) is self.breaker.snapshot(self.now).state


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60)
TestBreaker = BreakerMachine.TestCase
