"""Limits end their own block at their own time, whatever other limits there are, and hide no cancellation."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.time_limit import TimeLimit, within
from tests.virtual_time import clock, run, virtual_time


def _cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@virtual_time
async def test_a_block_ends_at_its_limit() -> None:
    start, limit = clock(), within(2.5)
    with pytest.raises(TimeoutError), limit:
        await asyncio.sleep(10)
    assert clock() - start == pytest.approx(2.5)
    assert (limit.expired, _cancelling()) == (True, 0)


@virtual_time
async def test_a_limit_that_was_kept_does_nothing_later() -> None:
    limit = within(1)
    with limit:
        await asyncio.sleep(0.5)
    await asyncio.sleep(10)
    assert not limit.expired


@virtual_time
async def test_a_limit_in_the_past_ends_the_first_wait() -> None:
    with pytest.raises(TimeoutError), TimeLimit(clock() - 1):
        await asyncio.sleep(10)
    assert clock() == pytest.approx(1000.0)


@virtual_time
async def test_of_two_limits_only_the_one_that_is_due_expires() -> None:
    inner, outer = within(5), within(1)
    with pytest.raises(TimeoutError), outer, inner:
        await asyncio.sleep(10)
    assert (inner.expired, outer.expired, _cancelling()) == (False, True, 0)
    await asyncio.sleep(10)
    assert not inner.expired


@virtual_time
async def test_two_limits_of_one_moment_leave_the_task_uncancelled() -> None:
    at = clock() + 1
    with pytest.raises(TimeoutError), TimeLimit(at), TimeLimit(at):
        await asyncio.sleep(10)
    assert _cancelling() == 0


@virtual_time
async def test_a_cancellation_at_the_very_limit_stays_one() -> None:
    async def limited() -> None:
        with within(1):
            await asyncio.sleep(10)

    task = asyncio.ensure_future(limited())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(1, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


@virtual_time
async def test_an_error_of_the_block_passes_as_it_is() -> None:
    limit = within(1)
    with pytest.raises(TimeoutError, match="its own"), limit:
        raise TimeoutError("its own")
    assert not limit.expired


@virtual_time
async def test_a_limit_moves() -> None:
    start, limit = clock(), within(1)
    with pytest.raises(TimeoutError), limit:
        limit.move(None)
        await asyncio.sleep(5)
        limit.move(clock() + 3)
        await asyncio.sleep(2)
        limit.move(clock() + 2)
        await asyncio.sleep(10)
    assert clock() - start == pytest.approx(9)


@virtual_time
async def test_a_limit_may_be_set_only_later() -> None:
    with pytest.raises(TimeoutError), TimeLimit(None) as limit:
        await asyncio.sleep(5)
        limit.move(clock() + 1)
        await asyncio.sleep(10)
    assert clock() == pytest.approx(1006.0)


_Times = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50), st.integers(1, 50)), max_size=40)


@given(_Times)
def test_every_limit_keeps_its_own_time(times: list[tuple[int, int, int]]) -> None:
    """Each of many tasks starts, works and has a limit; ends never fall on one instant with the limit."""

    async def limited(start: int, work: int, allowed: int) -> tuple[bool, float]:
        await asyncio.sleep(start)
        limit = within(allowed + 0.5)
        try:
            with limit:
                await asyncio.sleep(work)
        except TimeoutError:
            pass
        return limit.expired, clock()

    async def main() -> None:
        ended = await asyncio.gather(*(limited(*each) for each in times))
        for (start, work, allowed), (expired, at) in zip(times, ended, strict=True):
            assert expired == (work > allowed)
            assert at == pytest.approx(1000 + start + min(work, allowed + 0.5))

    run(main())


@virtual_time
async def test_thousands_of_kept_limits_do_not_disturb_one_that_holds() -> None:
    async def kept(number: int) -> None:
        with within(1 + number % 7):
            await asyncio.sleep(0.001)

    async def late() -> float:
        with pytest.raises(TimeoutError), within(3):
            await asyncio.sleep(100)
        return clock()

    started = clock()
    waiting = asyncio.ensure_future(late())
    for _ in range(20):
        await asyncio.gather(*(kept(number) for number in range(200)))
    assert await waiting == pytest.approx(started + 3)
