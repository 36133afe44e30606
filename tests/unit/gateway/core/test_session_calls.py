from __future__ import annotations

import pytest

from gateway.core.session_calls import SessionCalls


def made(calls: SessionCalls, session: str, now: float = 0.0) -> float:
    """Makes one more call; answers how long it waits for its turn."""
    one = calls.of(session, now)
    wait = one.wait(now)
    one.make(now)
    return wait


@pytest.mark.parametrize("burst", [1, 3])
def test_calls_beyond_the_burst_have_turns_one_behind_the_other(burst: int) -> None:
    calls = SessionCalls(2.0, burst)
    assert [made(calls, "a") for _ in range(burst + 3)] == [0.0] * burst + [0.5, 1.0, 1.5]
    assert calls.of("a", 0.0).made == burst + 3
    assert made(calls, "b") == 0.0, "each session has a rate of its own"


def test_who_waited_may_go_on_at_the_rate() -> None:
    calls = SessionCalls(2.0, 1)
    assert [made(calls, "a", now / 2) for now in range(5)] == [0.0] * 5
    assert made(calls, "a", 2.0) == 0.5
    assert made(calls, "a", 60.0) == 0.0


def test_who_is_forgotten_begins_anew() -> None:
    calls = SessionCalls(1.0, 1)
    made(calls, "a")
    assert (calls.of("a", 0.0).made, calls.of("a", 0.0).wait(0.0)) == (1, 1.0)
    calls.forget("a")
    calls.forget("never made one")
    assert len(calls) == 0
    assert (calls.of("a", 0.0).made, calls.of("a", 0.0).wait(0.0)) == (0, 0.0)


def test_the_table_is_bounded_and_the_longest_unused_goes_first() -> None:
    calls = SessionCalls(1.0, 1, sessions=2)
    for session in ("a", "b", "a", "c"):
        made(calls, session)
    assert len(calls) == 2
    assert calls.of("a", 0.0).made == 2, "a call was made in it after the one in b"
    assert calls.of("b", 0.0).made == 0, "it was forgotten"
