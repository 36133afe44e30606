"""The queue never holds more than it may, gives everything out once and in order, and losses are told once."""

from __future__ import annotations

import threading

from gateway.adapters.journal.writing.entries import Entry
from gateway.adapters.journal.writing.intake import Intake, Loss, Losses, Queued
from gateway.errors import Code
from tests.unit.gateway.chain_fakes import call


def item(size: int) -> Queued:
    return Queued(Entry("call", call(), None, Code.OK, "", 0.0, 0.0), size)


def full(limit: int, *sizes: int) -> Intake:
    intake = Intake(limit)
    for size in sizes:
        assert intake.reserve(size)
        intake.put(item(size))
    return intake


def test_it_takes_exactly_its_limit() -> None:
    intake = Intake(100)
    assert intake.reserve(100)
    assert not intake.reserve(1)
    assert intake.bytes == 100


def test_what_is_forgotten_or_released_makes_room() -> None:
    intake = Intake(100)
    assert intake.reserve(60)
    assert intake.reserve(40)
    intake.forget(40)
    assert intake.reserve(40)
    intake.release(60)
    assert (intake.bytes, intake.reserve(60), intake.reserve(1)) == (40, True, False)


def test_it_is_crowded_above_half_of_its_limit() -> None:
    assert not full(100, 50).crowded
    assert full(100, 51).crowded


def test_it_gives_out_in_order_up_to_a_count_and_a_size() -> None:
    intake = full(1000, 10, 20, 30, 40)
    assert [each.size for each in intake.take(2, 1000)] == [10, 20]
    assert [each.size for each in intake.take(9, 70)] == [30, 40]
    assert intake.take(9, 70) == []
    assert [each.size for each in full(1000, 10, 20, 30).take(9, 59)] == [10, 20]


def test_an_entry_larger_than_the_size_comes_alone() -> None:
    intake = full(1000, 500, 10)
    assert [each.size for each in intake.take(9, 100)] == [500]
    assert [each.size for each in intake.take(9, 100)] == [10]


def test_what_is_given_back_comes_first_again() -> None:
    intake = full(1000, 1, 2, 3)
    taken = intake.take(2, 1000)
    intake.give_back(taken)
    assert ([each.size for each in intake.take(9, 1000)], len(intake)) == ([1, 2, 3], 0)


def test_losses_are_told_once_and_counted_for_ever() -> None:
    losses = Losses()
    assert not losses.untold
    losses.add(2_000, 10)
    losses.add(1_000, 5)
    assert losses.untold
    assert losses.take() == Loss(2, 1_000, 2_000, 15)
    assert (losses.take(), losses.untold, losses.total) == (None, False, 2)


def test_losses_that_could_not_be_told_are_told_with_the_next() -> None:
    losses = Losses()
    losses.add(1_000, 5)
    loss = losses.take()
    losses.add(3_000, 1)
    assert loss is not None
    losses.give_back(loss)
    losses.count(1)
    assert (losses.take(), losses.total) == (Loss(2, 1_000, 3_000, 6), 3)


def test_no_loss_is_miscounted_between_threads() -> None:
    losses, told = Losses(), []

    def lose() -> None:
        for number in range(5_000):
            losses.add(number, 1)

    adding = threading.Thread(target=lose)
    adding.start()
    while adding.is_alive():
        told.append(losses.take())
    told.append(losses.take())
    assert sum(loss.count for loss in told if loss is not None) == losses.total == 5_000
