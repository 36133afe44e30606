"""What draining waits for: the calls that ran when it began, and no later one."""

from __future__ import annotations

import asyncio

from gateway.running import Running


async def test_finished_waits_for_the_calls_of_its_moment_only() -> None:
    running = Running()
    running.start("a")
    running.start("b")
    waiting = asyncio.ensure_future(running.finished())
    await asyncio.sleep(0)
    running.start("late")
    running.end("a")
    await asyncio.sleep(0)
    assert not waiting.done()
    running.end("b")
    async with asyncio.timeout(5):
        await waiting
    assert len(running) == 1


async def test_finished_returns_at_once_when_nothing_runs() -> None:
    async with asyncio.timeout(5):
        await Running().finished()


async def test_next_waits_for_another_call_or_for_its_time() -> None:
    running = Running()
    running.start("before")
    waiting = asyncio.ensure_future(running.next(60.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    running.start("another")
    async with asyncio.timeout(5):
        assert await waiting
        assert not await running.next(0.001)
