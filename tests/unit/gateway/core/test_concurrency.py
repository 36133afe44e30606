from __future__ import annotations

from gateway.core.concurrency import ConcurrencyLimit, ConcurrencySnapshot


def full(limit: int, queue: int) -> ConcurrencyLimit[str]:
    places = ConcurrencyLimit[str](limit, queue)
    for _ in range(limit):
        assert places.enter()
    return places


def test_limit() -> None:
    places = full(2, 0)
    assert not places.enter()
    assert places.leave() is None
    assert places.enter()


def test_queue() -> None:
    places = full(1, 2)
    assert places.wait("a")
    assert places.wait("b")
    assert not places.wait("c")
    assert places.snapshot() == ConcurrencySnapshot(running=1, waiting=2)


def test_without_a_queue_nobody_waits() -> None:
    assert not full(1, 0).wait("a")


def test_first_come_first_served() -> None:
    places = full(1, 2)
    places.wait("a")
    places.wait("b")
    assert [places.leave(), places.leave(), places.leave()] == ["a", "b", None]
    assert places.snapshot() == ConcurrencySnapshot(running=0, waiting=0)


def test_nobody_slips_in_before_those_who_wait() -> None:
    places = full(1, 1)
    places.wait("a")
    assert places.leave() == "a"
    assert not places.enter()


def test_who_gives_up_is_passed_over() -> None:
    places = full(1, 2)
    places.wait("a")
    places.wait("b")
    places.give_up("a")
    places.give_up("never waited")
    assert places.leave() == "b"


def crowded(limit: int, queue: int) -> ConcurrencyLimit[str]:
    """One that is full, and again full when more than half of those who waited have their places."""
    places = full(limit, queue)
    for _ in range(queue):
        assert places.wait("early")
    for _ in range(queue // 2 + 1):
        assert places.leave() == "early"
        assert places.wait("late")
    assert not places.crowded
    assert not places.wait("too late")
    return places


def test_a_queue_that_does_not_drain_becomes_short_and_who_waited_longest_goes() -> None:
    places = crowded(4, 8)
    assert places.crowded
    assert places.surplus() == ["early"] * 3 + ["late"] * 3
    assert places.snapshot() == ConcurrencySnapshot(running=4, waiting=2)
    assert not places.wait("one more")
    assert places.surplus() == []


def test_a_queue_that_has_only_just_half_turned_over_stays_long() -> None:
    places = full(4, 8)
    for _ in range(8):
        places.wait("early")
    for _ in range(4):
        places.leave()
        places.wait("late")
    assert not places.wait("too late")
    assert (places.crowded, places.surplus()) == (False, [])


def test_a_queue_that_was_empty_has_drained() -> None:
    places = full(1, 1)
    for _ in range(10):
        assert places.wait("a")
        assert places.leave() == "a"
        assert places.leave() is None
        assert places.enter()
    assert places.wait("a")
    assert not places.wait("b")
    assert not places.crowded


def test_the_crowd_has_gone_when_as_many_left_as_fit_in_and_nobody_was_refused() -> None:
    places = crowded(4, 8)
    places.surplus()
    for _ in range(12):
        assert places.leave() == "late"
        assert places.wait("late")
    assert places.crowded
    places.leave()
    assert not places.crowded
    assert [places.wait("a") for _ in range(8)] == [True] * 7 + [False]


def test_a_refusal_means_that_the_crowd_is_still_there() -> None:
    places = crowded(4, 8)
    places.surplus()
    for _ in range(30):
        assert places.leave() == "late"
        assert places.wait("late")
        assert not places.wait("one more")
    assert places.crowded


def test_the_crowd_has_gone_when_nobody_runs() -> None:
    places = crowded(2, 4)
    places.surplus()
    while places.leave() is not None:
        assert places.crowded
    assert places.crowded
    assert places.leave() is None
    assert not places.crowded
