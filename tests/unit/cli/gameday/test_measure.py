"""The arithmetic of neighbours' latencies."""

from __future__ import annotations

import math
import random

import pytest

from cli.gameday.measure import Comparison, Percentiles, Window, compare, enough, percentile
from tests.unit.cli.gameday.evidence import rounds, sample


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([5.0], 0.99, 5.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        (list(range(1, 101)), 0.99, 99),
        ([3.0, 1.0, 2.0], 1.0, 3.0),
    ],
)
def test_a_percentile_is_one_of_the_values(values: list[float], share: float, wanted: float) -> None:
    assert percentile(values, share) == wanted


def test_of_nothing_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_window_has_the_calls_that_were_meant_to_be_sent_in_it() -> None:
    calls = [sample(0, 1.0, at=0.9), sample(1, 2.0, at=1.0), sample(2, 3.0, at=1.999), sample(3, 4.0, at=2.0)]
    assert Window(1.0, 2.0, False).of(calls) == [2.0, 3.0]


def test_one_bad_window_moves_nothing() -> None:
    windows, samples = rounds((10.0, 11.0), (10.0, 500.0), (10.0, 11.0), (400.0, 11.0), (10.0, 11.0))
    found = compare(windows, samples, random.Random(1))
    assert found is not None
    assert found.ratio == pytest.approx(1.1)
    assert (found.undisturbed, found.disturbed) == (Percentiles(10.0, 10.0), Percentiles(11.0, 11.0))
    assert found.rounds == 5


def test_what_slows_both_windows_of_a_round_is_not_the_fault() -> None:
    windows, samples = rounds((10.0, 10.0), (80.0, 80.0), (80.0, 80.0), (10.0, 10.0), (10.0, 10.0))
    found = compare(windows, samples, random.Random(1))
    assert found is not None
    assert found.ratio == pytest.approx(1.0)


def test_the_interval_tells_how_far_the_ratio_can_be_trusted() -> None:
    steady = compare(*rounds(*[(10.0, 11.0)] * 6), random.Random(1))
    mixed = compare(*rounds((10, 9), (10, 20), (10, 11), (10, 18), (10, 9)), random.Random(1))
    assert steady is not None
    assert mixed is not None
    assert steady.low == steady.high == pytest.approx(1.1)
    assert steady.settled
    assert mixed.low < mixed.ratio < mixed.high
    assert not mixed.settled


def test_without_a_whole_round_nothing_is_compared() -> None:
    windows, samples = rounds((10.0, 11.0))
    assert compare(windows[:1], samples, random.Random(1)) is None
    assert compare(windows, [], random.Random(1)) is None


@pytest.mark.parametrize(
    ("quiet", "loud", "full", "short"),
    [
        (10.0, 12.0, False, False),
        (10.0, 13.0, True, False),
        (1.0, 1.9, False, False),  # less than timers can tell
        (10.0, 90.0, True, False),  # nine times, but in the short form less than a busy machine does to one call
        (50.0, 190.0, True, False),
        (50.0, 260.0, True, True),
    ],
)
def test_the_short_form_needs_more_to_call_it_a_leak(quiet: float, loud: float, full: bool, short: bool) -> None:
    found = Comparison(Percentiles(1, quiet), Percentiles(1, loud), loud / quiet, 1, 9, 5)
    assert (found.leaks(short=False), found.leaks(short=True)) == (full, short)


CALM, LEAK, UNSURE = (10.0, 10.0), (10.0, 400.0), (10.0, 12.0)


@pytest.mark.parametrize(
    ("seen", "short", "wanted"),
    [
        ([CALM], True, False),
        ([CALM] * 2, True, True),
        ([LEAK] * 2, True, False),
        ([LEAK] * 4, True, False),
        ([LEAK] * 5, True, True),
        ([LEAK] * 2 + [CALM] * 2, True, False),  # nor does it stop as soon as it looks well
        ([LEAK] * 2 + [CALM] * 3, True, True),
        ([LEAK] * 4, False, False),
        ([LEAK] * 5, False, True),
        ([CALM, UNSURE, UNSURE, CALM, (10.0, 13.0)], False, False),
        ([CALM, UNSURE, (10.0, 13.0)] * 4, False, True),
    ],
)
def test_rounds_end_when_enough_is_known(seen: list[tuple[float, float]], short: bool, wanted: bool) -> None:
    assert enough(compare(*rounds(*seen), random.Random(1)), len(seen), short) is wanted


def test_a_figure_beyond_its_bound_is_looked_at_for_longer_too() -> None:
    found = compare(*rounds(*[CALM] * 2), random.Random(1))
    assert enough(found, 2, True)
    assert not enough(found, 2, True, beyond=True)
    assert enough(found, 5, True, beyond=True)


@pytest.mark.parametrize("short", [True, False])
def test_rounds_without_a_neighbours_call_end_as_well(short: bool) -> None:
    assert enough(None, 12, short)
