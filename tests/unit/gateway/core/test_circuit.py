"""The breaker: every state × input pair, and every setting on both sides of its limit."""

from __future__ import annotations

import pytest

from gateway.config import Breaker
from gateway.core.circuit import BreakerState, CircuitBreaker, Ticket
from gateway.core.outcome import Outcome

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
SUCCESS, FAILURE, IGNORED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.IGNORED
QUICK = Breaker(window="10s", minimum_calls=4, error_rate=0.5, slow_call="1s", slow_rate=0.5, open_for="5s", probes=2)
OPENED = 100.0
PROBING = OPENED + QUICK.open_for


def ticket(breaker: CircuitBreaker, now: float) -> Ticket:
    got = breaker.acquire(now)
    assert got is not None
    return got


def end(breaker: CircuitBreaker, outcome: Outcome, now: float, seconds: float = 0.0) -> None:
    """One call that ended at `now` after `seconds`."""
    breaker.record(ticket(breaker, now - seconds), outcome, now)


def closed(settings: Breaker = QUICK) -> CircuitBreaker:
    return CircuitBreaker(settings, OPENED)


def opened(settings: Breaker = QUICK) -> CircuitBreaker:
    """OPEN since OPENED."""
    breaker = closed(settings)
    for _ in range(settings.minimum_calls):
        end(breaker, FAILURE, OPENED)
    assert breaker.state(OPENED) is OPEN
    return breaker


def half_opened(settings: Breaker = QUICK) -> tuple[CircuitBreaker, Ticket]:
    """HALF_OPEN since PROBING, with one probe under way."""
    breaker = opened(settings)
    return breaker, ticket(breaker, OPENED + settings.open_for)


# Every state × every input.


def test_closed_passes_everything() -> None:
    breaker = closed()
    assert all(breaker.acquire(OPENED) for _ in range(1000))
    assert breaker.state(OPENED) is CLOSED
    assert breaker.retry_after(OPENED) == 0.0


@pytest.mark.parametrize(("outcome", "after", "calls"), [(SUCCESS, OPEN, 0), (FAILURE, OPEN, 0), (IGNORED, CLOSED, 3)])
def test_closed_takes_an_outcome(outcome: Outcome, after: BreakerState, calls: int) -> None:
    """Three of four are in, two failed: the fourth opens it, whether it fails or makes up the minimum. IGNORED does neither."""
    breaker = closed()
    for each in (FAILURE, SUCCESS, FAILURE):
        end(breaker, each, OPENED)
    end(breaker, outcome, OPENED)
    assert breaker.state(OPENED) is after
    assert breaker.snapshot(OPENED).calls == calls


def test_open_rejects_until_its_time_has_passed() -> None:
    breaker = opened()
    assert breaker.acquire(OPENED) is None
    assert breaker.acquire(PROBING - 0.001) is None
    assert breaker.state(PROBING - 0.001) is OPEN
    assert breaker.retry_after(OPENED + 2.0) == 3.0
    assert breaker.state(PROBING) is HALF_OPEN
    assert breaker.retry_after(PROBING) == 0.0
    assert breaker.acquire(PROBING) is not None


@pytest.mark.parametrize("outcome", Outcome)
def test_open_is_not_moved_by_calls_that_began_before(outcome: Outcome) -> None:
    breaker = closed()
    late = ticket(breaker, OPENED)
    for _ in range(QUICK.minimum_calls):
        end(breaker, FAILURE, OPENED)
    before = breaker.snapshot(OPENED + 1.0)
    breaker.record(late, outcome, OPENED + 1.0)
    assert breaker.snapshot(OPENED + 1.0) == before
    assert before.state is OPEN


@pytest.mark.parametrize("outcome", Outcome)
def test_half_open_is_not_moved_by_calls_that_began_before(outcome: Outcome) -> None:
    breaker = closed()
    late = [ticket(breaker, OPENED) for _ in range(5)]
    for _ in range(QUICK.minimum_calls):
        end(breaker, FAILURE, OPENED)
    ticket(breaker, PROBING)
    before = breaker.snapshot(PROBING)
    for each in late:
        breaker.record(each, outcome, PROBING)
    assert breaker.snapshot(PROBING) == before
    assert before.state is HALF_OPEN


def test_half_open_passes_exactly_its_probes() -> None:
    breaker = opened()
    passed = [breaker.acquire(PROBING) for _ in range(50)]
    assert sum(each is not None for each in passed) == QUICK.probes
    assert breaker.snapshot(PROBING).rejected == 48


def test_half_open_closes_when_all_probes_succeed() -> None:
    breaker, probe = half_opened()
    breaker.record(probe, SUCCESS, PROBING)
    assert breaker.state(PROBING) is HALF_OPEN
    end(breaker, SUCCESS, PROBING)
    assert breaker.state(PROBING) is CLOSED


def test_half_open_opens_again_on_one_failure() -> None:
    breaker, probe = half_opened()
    end(breaker, SUCCESS, PROBING + 1.0)
    breaker.record(probe, FAILURE, PROBING + 2.0)
    assert breaker.state(PROBING + 2.0) is OPEN
    assert breaker.retry_after(PROBING + 2.0) == QUICK.open_for
    assert breaker.snapshot(PROBING + 2.0).opened == 2


def test_half_open_gets_the_permit_of_an_ignored_probe_back() -> None:
    breaker, probe = half_opened()
    other = ticket(breaker, PROBING)
    assert breaker.acquire(PROBING) is None
    breaker.record(probe, IGNORED, PROBING)
    assert breaker.state(PROBING) is HALF_OPEN
    again = ticket(breaker, PROBING)
    assert breaker.acquire(PROBING) is None
    for each in (other, again):
        breaker.record(each, SUCCESS, PROBING)
    assert breaker.state(PROBING) is CLOSED


def test_half_open_keeps_the_permit_of_a_probe_that_succeeded() -> None:
    """So no more than `probes` calls reach a sick target before its verdict."""
    breaker, probe = half_opened()
    breaker.record(probe, SUCCESS, PROBING)
    assert breaker.acquire(PROBING) is not None
    assert breaker.acquire(PROBING) is None


def test_half_open_tells_the_rejected_to_come_back_soon() -> None:
    breaker, _ = half_opened()
    assert breaker.retry_after(PROBING) == 0.0  # one probe is still to be had
    ticket(breaker, PROBING)
    assert 0.0 < breaker.retry_after(PROBING) <= 1.0


def test_a_probe_of_an_earlier_half_open_has_no_say_in_a_later_one() -> None:
    breaker, slow_probe = half_opened()
    end(breaker, FAILURE, PROBING)
    second = PROBING + QUICK.open_for
    first_of_two = ticket(breaker, second)
    breaker.record(slow_probe, SUCCESS, second)
    breaker.record(first_of_two, SUCCESS, second)
    assert breaker.state(second) is HALF_OPEN


def test_a_closed_breaker_starts_from_nothing() -> None:
    breaker, probe = half_opened()
    breaker.record(probe, SUCCESS, PROBING)
    end(breaker, SUCCESS, PROBING)
    for _ in range(QUICK.minimum_calls - 1):
        end(breaker, FAILURE, PROBING)
    assert breaker.state(PROBING) is CLOSED
    end(breaker, FAILURE, PROBING)
    assert breaker.state(PROBING) is OPEN


# Every setting, on both sides of its limit.


def test_minimum_calls() -> None:
    breaker = closed()
    for _ in range(QUICK.minimum_calls - 1):
        end(breaker, FAILURE, OPENED)
    assert breaker.state(OPENED) is CLOSED
    end(breaker, FAILURE, OPENED)
    assert breaker.state(OPENED) is OPEN


def test_alternating_failures_of_one_half_open_it_at_the_minimum() -> None:
    breaker = closed(Breaker())
    for number in range(Breaker().minimum_calls):
        assert breaker.state(OPENED) is CLOSED
        end(breaker, FAILURE if number % 2 else SUCCESS, OPENED + number)
    assert breaker.state(OPENED + 10) is OPEN


@pytest.mark.parametrize(("failures", "state"), [(29, CLOSED), (30, OPEN)])
def test_error_rate(failures: int, state: BreakerState) -> None:
    """Three tenths of a hundred are thirty, although 0.3 × 100 is a little more in floating point than 3 / 10 is."""
    breaker = closed(Breaker(minimum_calls=100, error_rate=0.3))
    for number in range(100):
        end(breaker, FAILURE if number < failures else SUCCESS, OPENED)
    assert breaker.state(OPENED) is state


@pytest.mark.parametrize(("seconds", "slow"), [(1.0, 0), (1.0625, 1)])
def test_slow_call(seconds: float, slow: int) -> None:
    breaker = closed()
    end(breaker, SUCCESS, OPENED, seconds)
    assert breaker.snapshot(OPENED).slow == slow


def test_time_in_which_the_target_waited_for_its_caller_is_not_slow() -> None:
    breaker = closed()
    breaker.record(ticket(breaker, OPENED), SUCCESS, OPENED + 60.0, stalled=59.5)
    breaker.record(ticket(breaker, OPENED), SUCCESS, OPENED + 60.0, stalled=58.5)
    assert breaker.snapshot(OPENED + 60.0).slow == 1


@pytest.mark.parametrize(("slow", "state"), [(1, CLOSED), (2, OPEN)])
def test_slow_rate(slow: int, state: BreakerState) -> None:
    breaker = closed()
    for number in range(4):
        end(breaker, SUCCESS, OPENED, 2.0 if number < slow else 0.0)
    assert breaker.state(OPENED) is state


@pytest.mark.parametrize(("slow", "state"), [(0, CLOSED), (1, OPEN), (2, OPEN)])
def test_slow_rate_judges_the_probes_too(slow: int, state: BreakerState) -> None:
    breaker = opened()
    probes = [ticket(breaker, PROBING) for _ in range(QUICK.probes)]
    for number, probe in enumerate(probes):
        breaker.record(probe, SUCCESS, PROBING + (2.0 if number < slow else 0.5))
    assert breaker.state(PROBING + 2.0) is state


@pytest.mark.parametrize(("later", "state"), [(8.9, OPEN), (10.0, CLOSED)])
def test_window(later: float, state: BreakerState) -> None:
    """Three failures count for at least nine tenths of the window, and no longer than the window."""
    breaker = closed()
    for _ in range(3):
        end(breaker, FAILURE, OPENED)
    end(breaker, FAILURE, OPENED + later)
    assert breaker.state(OPENED + later) is state


@pytest.mark.parametrize(("later", "passes"), [(4.999, False), (5.0, True)])
def test_open_for(later: float, passes: bool) -> None:
    assert (opened().acquire(OPENED + later) is not None) is passes


@pytest.mark.parametrize("probes", [1, 2, 7])
def test_probes(probes: int) -> None:
    breaker, probe = half_opened(QUICK.model_copy(update={"probes": probes}))
    under_way = [probe]
    while (another := breaker.acquire(PROBING)) is not None:
        under_way.append(another)
    assert len(under_way) == probes
    for each in under_way:
        assert breaker.state(PROBING) is HALF_OPEN
        breaker.record(each, SUCCESS, PROBING)
    assert breaker.state(PROBING) is CLOSED


def test_snapshot_holds_the_numbers_of_the_window() -> None:
    breaker = closed()
    end(breaker, FAILURE, OPENED)
    end(breaker, SUCCESS, OPENED, 3.0)
    seen = breaker.snapshot(OPENED)
    assert (seen.state, seen.calls, seen.failures, seen.slow) == (CLOSED, 2, 1, 1)
    assert (seen.probes, seen.opened, seen.rejected, seen.retry_after) == (0, 0, 0, 0.0)
    assert breaker.snapshot(OPENED + 10.0).calls == 0
