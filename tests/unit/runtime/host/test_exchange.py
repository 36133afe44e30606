"""One call's answer in the host: order, credits, endings."""

from __future__ import annotations

import asyncio

import pytest
from firebreak_runtime.errors import ServedError
from firebreak_runtime.exchange import Exchange
from firebreak_runtime.frames import CREDITS, GRANT, FrameError

LOST = ServedError("WORKER_DIED", "lost")


def _exchange() -> tuple[Exchange, list[int]]:
    granted: list[int] = []
    return Exchange(1, granted.append), granted


async def test_messages_come_in_order_and_then_the_end() -> None:
    exchange, _ = _exchange()
    exchange.message(b"a")
    exchange.part(b"b")
    exchange.part(b"c")
    exchange.message(b"d")
    exchange.finish()
    assert [await exchange.next() for _ in range(3)] == [b"a", b"bcd", None]
    assert exchange.answered


async def test_who_waits_is_woken() -> None:
    exchange, _ = _exchange()
    waiting = asyncio.ensure_future(exchange.next())
    await asyncio.sleep(0)
    exchange.message(b"a")
    assert await waiting == b"a"


async def test_an_error_of_the_worker_comes_after_its_messages() -> None:
    exchange, _ = _exchange()
    exchange.message(b"a")
    exchange.finish(LOST)
    assert await exchange.next() == b"a"
    with pytest.raises(ServedError, match="lost"):
        await exchange.next()


async def test_an_error_of_the_host_does_not_wait_behind_messages() -> None:
    exchange, _ = _exchange()
    exchange.message(b"a")
    exchange.fail(LOST)
    with pytest.raises(ServedError, match="lost"):
        await exchange.next()
    assert not exchange.answered


async def test_the_first_error_counts_and_an_answer_after_it_does_not() -> None:
    exchange, _ = _exchange()
    exchange.fail(LOST)
    exchange.fail(ServedError("INTERNAL", "later"))
    exchange.finish()
    with pytest.raises(ServedError, match="lost"):
        await exchange.next()
    assert not exchange.answered


async def test_a_failure_takes_back_an_answer_that_was_not_delivered() -> None:
    exchange, _ = _exchange()
    exchange.message(b"a")
    exchange.finish()
    exchange.fail(LOST)
    with pytest.raises(ServedError, match="lost"):
        await exchange.next()


async def test_credit_is_granted_again_only_for_what_was_delivered() -> None:
    exchange, granted = _exchange()
    for _ in range(CREDITS):
        exchange.message(b"x")
    for _ in range(GRANT):
        await exchange.next()
    assert granted == []
    await exchange.next()
    assert granted == [GRANT]


async def test_more_frames_than_were_granted_break_the_protocol() -> None:
    exchange, _ = _exchange()
    for _ in range(CREDITS):
        exchange.message(b"x")
    with pytest.raises(FrameError):
        exchange.message(b"x")
    with pytest.raises(FrameError):
        exchange.part(b"x")


def test_parts_without_an_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firebreak_runtime.exchange.MAX_MESSAGE", 10)
    exchange, _ = _exchange()
    exchange.part(b"12345678")
    with pytest.raises(FrameError, match="10 bytes"):
        exchange.part(b"90a")
    other, _ = _exchange()
    other.part(b"12345678")
    with pytest.raises(FrameError, match="10 bytes"):
        other.message(b"90a")
