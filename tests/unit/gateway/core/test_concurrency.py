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
