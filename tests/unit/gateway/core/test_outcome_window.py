from __future__ import annotations

from gateway.core.outcome_window import Counts, OutcomeWindow


def test_counts_what_is_in_the_window() -> None:
    window = OutcomeWindow(10.0)
    window.add(100.0, failed=True, slow=False)
    window.add(105.0, failed=False, slow=True)
    assert window.add(105.5, failed=True, slow=True) == Counts(3, 2, 2)
    assert window.counts(109.9) == Counts(3, 2, 2)
    assert window.counts(110.0) == Counts(2, 1, 2)
    assert window.counts(115.0) == Counts(0, 0, 0)


def test_a_pause_longer_than_the_window_forgets_everything() -> None:
    window = OutcomeWindow(10.0)
    for second in range(10):
        window.add(100.0 + second, failed=True, slow=True)
    assert window.counts(1_000_000.0) == Counts(0, 0, 0)


def test_a_clock_that_stands_still_or_steps_back_loses_nothing() -> None:
    window = OutcomeWindow(10.0)
    window.add(100.0, failed=True, slow=False)
    assert window.add(95.0, failed=True, slow=False) == Counts(2, 2, 0)


def test_clear_forgets_everything() -> None:
    window = OutcomeWindow(10.0)
    window.add(100.0, failed=True, slow=True)
    window.clear()
    assert window.counts(100.0) == Counts(0, 0, 0)
    assert window.counts(111.0) == Counts(0, 0, 0)
