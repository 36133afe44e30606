"""A server is quiet when no call has run for a while, and not a moment before."""

from __future__ import annotations

import asyncio

from firebreak_runtime.in_flight import InFlight


async def _turns() -> None:
    """Lets every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_without_calls_it_is_quiet_after_the_lull() -> None:
    began = asyncio.get_running_loop().time()
    await InFlight().quiet(0.02)
    assert asyncio.get_running_loop().time() - began >= 0.02


async def test_a_running_call_keeps_it_from_being_quiet() -> None:
    calls = InFlight()
    with calls.one(), calls.one():
        quiet = asyncio.ensure_future(calls.quiet(0.0))
        await _turns()
        assert not quiet.done()
    await asyncio.wait_for(quiet, 5.0)


async def test_a_call_that_begins_within_the_lull_starts_it_anew() -> None:
    calls = InFlight()
    quiet = asyncio.ensure_future(calls.quiet(60.0))
    await _turns()
    with calls.one():
        await _turns()
    await _turns()
    assert not quiet.done()
    quiet.cancel()


async def test_a_call_that_fails_has_ended_too() -> None:
    calls = InFlight()
    try:
        with calls.one():
            raise ValueError
    except ValueError:
        pass
    await asyncio.wait_for(calls.quiet(0.0), 5.0)
