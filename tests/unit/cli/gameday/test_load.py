"""The neighbours' load: when calls are sent."""

from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path

from cli.gameday.load import CATCH_UP, Load

RATE = 200.0
STILL = 0.3
OVERDUE = int(RATE * STILL)


class Noted(Load):
    """Notes when each call is sent, and sends none."""

    def __init__(self) -> None:
        super().__init__("unix:nobody", Path("token"), "calculator", "{}", io.StringIO())
        self.sent: list[tuple[int, float]] = []

    async def _call(self, number: int, due: float) -> None:
        self.sent.append((number, time.monotonic() - due))
        self._places.release()


async def test_what_fell_due_while_it_stood_still_is_sent_a_little_apart() -> None:
    load = Noted()
    running = asyncio.create_task(load.run(RATE))
    while len(load.sent) < 10:
        await asyncio.sleep(0.01)
    before = len(load.sent)
    time.sleep(STILL)  # noqa: ASYNC251 - the process stands still
    began = time.monotonic()
    while len(load.sent) < before + OVERDUE:
        await asyncio.sleep(0.001)
    took = time.monotonic() - began
    load.stop.set()
    await running
    assert [number for number, _ in load.sent] == list(range(len(load.sent))), "none is left out"
    assert took > 0.8 * OVERDUE / (CATCH_UP * RATE)
    assert max(late for _, late in load.sent) > 0.9 * STILL, "how late it was counts for the call"
