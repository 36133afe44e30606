"""What the breaker promises of any series of outcomes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Breaker
from gateway.core.circuit import BreakerState, CircuitBreaker
from gateway.core.outcome import Outcome


def after(breaker: CircuitBreaker, outcomes: list[Outcome], now: float = 0.0) -> BreakerState:
    """The state when calls have ended so, one after the other; stops where the breaker opens."""
    for outcome in outcomes:
        ticket = breaker.acquire(now)
        if ticket is None:
            break
        breaker.record(ticket, outcome, now)
    return breaker.state(now)


@given(minimum=st.integers(1, 50), first=st.booleans())
def test_alternating_failures_open_it_as_soon_as_the_minimum_is_reached(minimum: int, first: bool) -> None:
    breaker = CircuitBreaker(Breaker(minimum_calls=minimum, error_rate=0.5), 0.0)
    outcomes = [Outcome.FAILURE if (number % 2 == 0) is first else Outcome.SUCCESS for number in range(minimum + 1)]
    assert after(breaker, outcomes[: minimum - 1]) is BreakerState.CLOSED
    assert after(breaker, outcomes[minimum - 1 :]) is BreakerState.OPEN


@given(outcomes=st.lists(st.sampled_from(Outcome), max_size=60), minimum=st.integers(1, 20))
def test_never_opens_before_the_minimum_of_calls_that_count(outcomes: list[Outcome], minimum: int) -> None:
    counted = sum(outcome is not Outcome.IGNORED for outcome in outcomes)
    state = after(CircuitBreaker(Breaker(minimum_calls=minimum, error_rate=0.01), 0.0), outcomes)
    if counted < minimum:
        assert state is BreakerState.CLOSED


@given(count=st.integers(1, 200), size=st.integers(1, 200))
def test_a_rate_is_met_exactly_whatever_the_rounding(count: int, size: int) -> None:
    """`count` failures of `size` calls open a breaker of that very rate; one less does not."""
    count = min(count, size)
    settings = Breaker(minimum_calls=size, error_rate=count / size)
    good = [Outcome.SUCCESS] * (size - count)
    assert after(CircuitBreaker(settings, 0.0), good + [Outcome.FAILURE] * count) is BreakerState.OPEN
    fewer = [*good, Outcome.SUCCESS, *[Outcome.FAILURE] * (count - 1)]
    assert after(CircuitBreaker(settings, 0.0), fewer) is BreakerState.CLOSED


@given(outcomes=st.lists(st.sampled_from([Outcome.SUCCESS, Outcome.IGNORED]), max_size=100))
def test_success_and_cancellation_never_open_it(outcomes: list[Outcome]) -> None:
    assert after(CircuitBreaker(Breaker(minimum_calls=1), 0.0), outcomes) is BreakerState.CLOSED


@given(pauses=st.lists(st.floats(0.0, 40.0), min_size=1, max_size=60), window=st.floats(0.5, 30.0))
def test_the_window_counts_at_least_nine_tenths_and_at_most_all_of_its_time(pauses: list[float], window: float) -> None:
    breaker = CircuitBreaker(Breaker(window=f"{window:.3f}s", minimum_calls=1000), 0.0)
    width = float(f"{window:.3f}")
    now, ends = 1000.0, []
    for pause in pauses:
        now += pause
        after(breaker, [Outcome.FAILURE], now)
        ends.append(now)
        counted = breaker.snapshot(now).failures
        surely = sum(now - end < width * 0.9 - 1e-6 for end in ends)
        possibly = sum(now - end <= width + 1e-6 for end in ends)
        assert surely <= counted <= possibly
