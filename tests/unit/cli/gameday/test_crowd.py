from __future__ import annotations

from cli.gameday.crowd import Crowd
from cli.gameday.measure import Sample


def sample(code: str, reason: str = "", ms: float = 10.0) -> Sample:
    return Sample(number=0, at=0.0, ms=ms, code=code, reason=reason)


def test_what_a_crowd_saw() -> None:
    full = "CONCURRENCY_LIMITED"
    made = Crowd(
        4.0, [*[sample("OK", ms=float(ms)) for ms in range(1, 7)], *[sample("RESOURCE_EXHAUSTED", full, 2.0)] * 2]
    )
    # Eight calls at four a second: two seconds, in which six were answered.
    assert (made.goodput, made.p99, made.shed, made.strange) == (3.0, 6.0, [2.0, 2.0], [])


def test_whatever_is_neither_answered_nor_refused_with_a_reason_is_strange() -> None:
    strange = [sample("RESOURCE_EXHAUSTED"), sample("CANCELLED"), sample("UNAVAILABLE", "DRAINING")]
    assert Crowd(1.0, [sample("OK"), *strange]).strange == strange
