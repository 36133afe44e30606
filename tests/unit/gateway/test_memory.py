"""Memory is given back once the process has grown, and not before."""

from __future__ import annotations

import asyncio

import pytest

from gateway.memory import GROWTH, PAUSE, give_back, keep_little, resident, trim
from tests.virtual_time import virtual_time


@pytest.mark.parametrize(
    ("sizes", "trims"),
    [
        ([0, GROWTH, GROWTH], 0),
        ([0, GROWTH + 1, GROWTH + 1, GROWTH + 1], 1),
        ([0, GROWTH + 1, 0, GROWTH + 1, 0], 2),
        ([GROWTH * 4, GROWTH, GROWTH * 2, GROWTH * 2], 0),
        ([GROWTH * 4, GROWTH, GROWTH * 2 + 1, GROWTH], 1),
    ],
)
def test_it_is_trimmed_each_time_that_it_has_grown(sizes: list[int], trims: int) -> None:
    """The sizes are what is seen at the start, at each look, and once more after each trim."""

    @virtual_time
    async def scenario() -> None:
        seen, trimmed = iter([*sizes, *[sizes[-1]] * 10]), 0

        async def note() -> None:
            nonlocal trimmed
            trimmed += 1

        running = asyncio.ensure_future(give_back(lambda: next(seen), note))
        await asyncio.sleep(PAUSE * (len(sizes) - trims) + PAUSE / 2)
        running.cancel()
        assert trimmed == trims

    scenario()


def test_the_real_one_gives_back_what_was_freed() -> None:
    keep_little()
    pieces = [bytearray(60_000) for _ in range(2_000)]
    held = resident()
    last = pieces[-1]
    del pieces[:-1]
    trim()
    assert held - resident() > 60 * 1024**2
    assert len(last) == 60_000
