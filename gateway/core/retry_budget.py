"""Keeps retries a fraction of the load, so that they cannot multiply an overload."""

from __future__ import annotations

from dataclasses import dataclass

_ROUNDING = 1e-6
"""A retry that is short by this much counts as whole: ten deposits of a tenth add up to 0.9999999999999999."""


@dataclass(frozen=True, slots=True)
class BudgetSnapshot:
    """Retries in hand now, and those granted and refused since the start of the process."""

    balance: float
    granted: int
    refused: int


class RetryBudget:
    """Earns `ratio` of a retry with each call and `per_second` over time, saves up at most `cap`, and pays one per retry.

    It starts with one second's earnings. With both rates at zero there is never a retry.
    """

    def __init__(self, ratio: float, per_second: float, now: float, cap: float = 10.0) -> None:
        self._ratio = ratio
        self._per_second = per_second
        self._cap = cap
        self._balance = min(cap, per_second)
        self._updated = now
        self._granted = 0
        self._refused = 0

    def deposit(self, now: float) -> None:
        """A call came that could be retried."""
        self._earn(now, self._ratio)

    def withdraw(self, now: float) -> bool:
        """Pays for one retry; False when there is nothing to pay with."""
        self._earn(now, 0.0)
        if self._balance < 1.0 - _ROUNDING:
            self._refused += 1
            return False
        self._balance -= 1.0
        self._granted += 1
        return True

    def snapshot(self, now: float) -> BudgetSnapshot:
        self._earn(now, 0.0)
        return BudgetSnapshot(self._balance, self._granted, self._refused)

    def _earn(self, now: float, extra: float) -> None:
        elapsed = max(0.0, now - self._updated)
        self._updated = max(self._updated, now)
        self._balance = min(self._cap, self._balance + elapsed * self._per_second + extra)
