from __future__ import annotations

import pytest

from gateway.core.session_calls import SessionCalls


@pytest.mark.parametrize("limit", [1, 3])
def test_limit(limit: int) -> None:
    calls = SessionCalls(limit)
    assert [calls.take("a") for _ in range(limit + 2)] == [True] * limit + [False] * 2
    assert calls.take("b")


def test_who_is_forgotten_begins_anew() -> None:
    calls = SessionCalls(1)
    assert calls.take("a")
    assert not calls.take("a")
    calls.forget("a")
    calls.forget("never made one")
    assert len(calls) == 0
    assert calls.take("a")


def test_the_table_is_bounded_and_the_longest_unused_goes_first() -> None:
    calls = SessionCalls(1, sessions=2)
    for session in ("a", "b", "a", "c"):
        calls.take(session)
    assert len(calls) == 2
    assert not calls.take("a"), "a call was made in it after the one in b"
    assert calls.take("b"), "it was forgotten"
