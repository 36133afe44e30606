"""Shared quotas with a hand-written store: when it is asked, when not any more, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.adapters.quotas.shared import SharedQuotas
from gateway.adapters.quotas.store import Gone
from gateway.config import Quotas
from gateway.errors import CallError, Reason

QUESTION = ("target:x", 5.0, 10)


class FakeStore:
    """Answers with `answer`: seconds, a failure, or never (None)."""

    address = "redis.example:6379"

    def __init__(self, answer: float | Gone | None = 0.0) -> None:
        self.answer = answer
        self.asked: list[tuple[str, float, int]] = []
        self.closed = False

    async def take(self, name: str, per_second: float, burst: int) -> float:
        self.asked.append((name, per_second, burst))
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Gone):
            raise self.answer
        assert self.answer is not None
        return self.answer

    async def close(self) -> None:
        self.closed = True


def shared(store: FakeStore, when_gone: str = "local", sleep: Callable[[float], object] | None = None) -> SharedQuotas:
    config = Quotas.model_validate({"redis": "redis://redis.example", "timeout": "10ms", "when_gone": when_gone})
    return SharedQuotas(store, config, sleep or asyncio.sleep)  # type: ignore[arg-type]


@pytest.mark.parametrize("wait", [0.0, 0.25])
async def test_the_stores_answer_is_passed_on(wait: float) -> None:
    store = FakeStore(wait)
    quotas = shared(store)
    assert await quotas.take(*QUESTION) == wait
    assert store.asked == [QUESTION]
    assert quotas.report() == {"backend": "redis", "degraded": ""}


async def test_local_lets_the_call_go_on() -> None:
    assert await shared(FakeStore(Gone("away"))).take(*QUESTION) == 0.0


async def test_refuse_sheds_the_call_and_tells_no_address() -> None:
    with pytest.raises(CallError) as caught:
        await shared(FakeStore(Gone("Redis at redis.example:6379")), "refuse").take(*QUESTION)
    error = caught.value
    assert (error.reason, error.retry_after, error.quota) == (Reason.OVERLOADED, 1.0, "target:x")
    assert "redis.example" not in str(error)


@pytest.mark.parametrize(("failures", "asked"), [(2, 3), (3, 3)])
async def test_after_three_failures_in_a_row_calls_do_not_ask(failures: int, asked: int) -> None:
    store = FakeStore(Gone("away"))
    quotas = shared(store)
    for _ in range(failures):
        await quotas.take(*QUESTION)
    assert quotas.report()["degraded"] == ("" if failures < 3 else "away")
    await quotas.take(*QUESTION)
    assert len(store.asked) == asked


async def test_a_store_that_hangs_is_given_up_in_time() -> None:
    quotas = shared(FakeStore(None))
    async with asyncio.timeout(5):
        for _ in range(4):
            assert await quotas.take(*QUESTION) == 0.0
    assert quotas.report()["degraded"] == "Redis at redis.example:6379 does not answer within 10 ms"


async def test_callers_that_give_up_do_not_hide_that_the_store_hangs() -> None:
    quotas = shared(FakeStore(None))
    for _ in range(3):
        caller = asyncio.ensure_future(quotas.take(*QUESTION))
        await asyncio.sleep(0)
        caller.cancel()
    async with asyncio.timeout(5):
        while not quotas.report()["degraded"]:
            await asyncio.sleep(0.001)


async def test_the_watch_finds_out_by_itself_and_asks_a_bucket_of_its_own() -> None:
    store, slept = FakeStore(Gone("away")), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds:
            raise asyncio.CancelledError

    quotas = shared(store, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await quotas.run()
    assert slept == [0, 0, 1]
    assert quotas.report()["degraded"] == "away"
    assert {name for name, *_ in store.asked} == {"probe"}


async def test_the_watch_notices_that_it_is_back() -> None:
    store = FakeStore(Gone("away"))
    quotas = shared(store)
    watching = asyncio.ensure_future(quotas.run())
    async with asyncio.timeout(10):
        while not quotas.report()["degraded"]:
            await asyncio.sleep(0.001)
        store.answer = 0.5
        while quotas.report()["degraded"]:
            assert await quotas.take(*QUESTION) == 0.0 or not quotas.report()["degraded"]
            await asyncio.sleep(0.001)
    assert await quotas.take(*QUESTION) == 0.5
    watching.cancel()


async def test_close_ends_what_is_asked() -> None:
    store = FakeStore(None)
    quotas = shared(store)
    caller = asyncio.ensure_future(quotas.take(*QUESTION))
    await asyncio.sleep(0)
    await quotas.close()
    assert store.closed
    assert await caller == 0.0
