from __future__ import annotations

import pytest

from gateway.core.retry_budget import BudgetSnapshot, RetryBudget


def granted(budget: RetryBudget, now: float) -> int:
    """How many retries there are to be had at `now`."""
    count = 0
    while budget.withdraw(now):
        count += 1
    return count


@pytest.mark.parametrize(("calls", "retries"), [(0, 0), (4, 0), (5, 1), (9, 1), (10, 2), (15, 3)])
def test_ratio_of_the_calls(calls: int, retries: int) -> None:
    budget = RetryBudget(0.2, 0.0, 0.0)
    for _ in range(calls):
        budget.deposit(0.0)
    assert granted(budget, 0.0) == retries


def test_ten_tenths_are_one_retry() -> None:
    budget = RetryBudget(0.1, 0.0, 0.0)
    for _ in range(10):
        budget.deposit(0.0)
    assert granted(budget, 0.0) == 1


@pytest.mark.parametrize(("seconds", "retries"), [(0.25, 0), (0.5, 1), (1.5, 3)])
def test_per_second(seconds: float, retries: int) -> None:
    budget = RetryBudget(0.0, 2.0, 0.0)
    assert granted(budget, 0.0) == 2  # one second's earnings to start with
    assert granted(budget, seconds) == retries


def test_without_earnings_there_is_never_a_retry() -> None:
    budget = RetryBudget(0.0, 0.0, 0.0)
    budget.deposit(0.0)
    assert granted(budget, 1e9) == 0


@pytest.mark.parametrize("cap", [1.0, 3.0])
def test_cap_bounds_what_is_saved_up(cap: float) -> None:
    budget = RetryBudget(1.0, 100.0, 0.0, cap=cap)
    for _ in range(50):
        budget.deposit(3600.0)
    assert granted(budget, 3600.0) == cap


def test_a_clock_that_steps_back_earns_nothing() -> None:
    budget = RetryBudget(0.0, 1.0, 100.0)
    assert granted(budget, 100.0) == 1
    assert granted(budget, 50.0) == 0
    assert granted(budget, 100.5) == 0
    assert granted(budget, 101.0) == 1


def test_snapshot() -> None:
    budget = RetryBudget(0.0, 1.0, 0.0)
    assert granted(budget, 2.5) == 3
    assert budget.snapshot(2.75) == BudgetSnapshot(balance=0.75, granted=3, refused=1)
