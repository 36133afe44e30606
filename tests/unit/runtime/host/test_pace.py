"""How fast a stream's events may follow each other."""

from __future__ import annotations

import pytest
from firebreak_runtime.pace import AT_ONCE, PAUSE, PER_SECOND, Pace

TOGETHER = int(PER_SECOND * PAUSE)


def _waited(pace: Pace, events: int, now: float, apart: float = 0.0) -> float:
    """Seconds that these events had to wait, where each is ready `apart` seconds after the one before was let through."""
    waited = 0.0
    for _ in range(events):
        waited += pace.passed(now + waited)
        now += apart
    return waited


@pytest.mark.parametrize(("events", "pauses"), [(AT_ONCE + TOGETHER - 2, 0), (AT_ONCE + TOGETHER + 2, 1)])
def test_a_burst_passes_and_then_there_is_a_pause(events: int, pauses: int) -> None:
    assert _waited(Pace(7.0), events, 7.0) == pytest.approx(pauses * PAUSE, abs=2 / PER_SECOND * pauses)


def test_a_flood_keeps_the_rate() -> None:
    assert _waited(Pace(0.0), AT_ONCE + 5000, 0.0) == pytest.approx(5000 / PER_SECOND, abs=2 * PAUSE)


@pytest.mark.parametrize(("rate", "held"), [(0.99 * PER_SECOND, False), (1.1 * PER_SECOND, True)])
def test_only_what_is_faster_than_the_rate_waits(rate: float, held: bool) -> None:
    assert bool(_waited(Pace(0.0), 5000, 0.0, apart=1 / rate)) is held


def test_a_pause_of_the_tool_makes_room_for_one_burst_and_no_more() -> None:
    pace = Pace(0.0)
    _waited(pace, AT_ONCE + 500, 0.0)
    assert _waited(pace, AT_ONCE + 5000, 3600.0) == pytest.approx(5000 / PER_SECOND, abs=2 * PAUSE)
