from __future__ import annotations

import pytest

from gateway.core.backoff import full_jitter


@pytest.mark.parametrize(("attempt", "most"), [(0, 0.05), (1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (50, 1.0)])
def test_the_wait_doubles_up_to_its_maximum(attempt: int, most: float) -> None:
    assert full_jitter(attempt, 0.05, 1.0, lambda: 0.999999) == pytest.approx(most, rel=1e-5)


def test_the_whole_range_is_random() -> None:
    assert full_jitter(3, 0.05, 1.0, lambda: 0.0) == 0.0
    assert full_jitter(3, 0.05, 1.0, lambda: 0.5) == pytest.approx(0.2)


def test_a_large_attempt_does_not_overflow() -> None:
    assert full_jitter(1_000_000, 0.05, 1.0, lambda: 0.5) == 0.5
