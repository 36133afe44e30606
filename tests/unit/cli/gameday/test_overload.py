from __future__ import annotations

from cli.gameday.crowd import Crowd
from cli.gameday.faults.overload import judged
from cli.gameday.measure import Sample


def crowd(answered: int, shed: int, ms: float, shed_ms: float = 5.0) -> Crowd:
    """One second of calls, all at the same latency."""
    good = [Sample(number=0, at=0.0, ms=ms, code="OK")] * answered
    refused = [Sample(number=0, at=0.0, ms=shed_ms, code="RESOURCE_EXHAUSTED", reason="CONCURRENCY_LIMITED")] * shed
    return Crowd(float(answered + shed), [*good, *refused])


LIGHT = crowd(20, 0, 100.0)
GOOD = crowd(20, 60, 350.0)
STALLED = crowd(10, 70, 350.0)
LATE = crowd(20, 60, 450.0)
SLOW_TO_REFUSE = crowd(20, 60, 350.0, shed_ms=150.0)


def test_goals_are_met() -> None:
    assert judged({0.8: [LIGHT], 4.0: [GOOD]}, short=True) == []
    assert judged({0.8: [LIGHT], 4.0: [GOOD]}, short=False) == [
        "at 4 × capacity the p99 is 3.5 times that at 80 % load"
    ]


def test_each_goal_is_told_where_it_is_not_met() -> None:
    assert judged({0.8: [LIGHT], 4.0: [STALLED]}, short=True) == ["at 4 × capacity 50% of the peak are answered"]
    assert judged({0.8: [LIGHT], 4.0: [LATE]}, short=True) == ["at 4 × capacity the p99 is 4.5 times that at 80 % load"]
    assert judged({0.8: [LIGHT], 4.0: [SLOW_TO_REFUSE]}, short=True) == ["who is refused learns it after 150 ms"]


def test_of_several_looks_the_median_counts() -> None:
    lights = [LIGHT] * 3
    assert judged({0.8: lights, 4.0: [STALLED, GOOD, GOOD]}, short=True) == []
    assert judged({0.8: lights, 4.0: [STALLED, GOOD, STALLED]}, short=True) != []
