"""One row: the fault and quiet take turns, beside neighbours under load, until enough is known."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cli.gameday.fault import Fault, NotRun, Seen
from cli.gameday.instance import NotInTime
from cli.gameday.measure import SHORT_ROUNDS, SHORT_WINDOW, WINDOW, Comparison, Sample, Window, compare, enough
from cli.gameday.scene import Mark, Scene
from cli.gameday.scorecard import Row, Timeline, row_of
from cli.gameday.stage import Stage
from cli.gameday.verdict import Evidence, Gateway

PAUSE = 0.1
Tell = Callable[[str], None]
"""Takes a few words on how far it is."""


@dataclass
class Rounds:
    """Causes one fault on a stage. `seed` makes the fault's random choices the same again."""

    stage: Stage
    fault: Fault
    short: bool
    seed: int
    tell: Tell
    windows: list[Window] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    async def row(self) -> Row:
        """Raises NotRun."""
        stage = self.stage
        await asyncio.to_thread(stage.renew)
        scene = Scene(stage.instance, self.short, random.Random(self.seed))  # noqa: S311
        before = stage.gateway()
        try:
            while not self._enough():
                self.tell(f"round {len(self.windows) // 2 + 1}")
                await self._quiet()
                await self._disturbed(scene)
                # What is still under way is late, and would be missing from what is judged.
                await stage.neighbours.settled(self.windows[-1].end)
            return await self._judged(scene, before)
        finally:
            await scene.close()

    def _enough(self) -> bool:
        """A fault that has shown a problem need not be looked at for longer."""
        rounds = len(self.windows) // 2
        if any(seen.problems for seen in self.seen):
            return True
        if not self.fault.isolated:
            return rounds >= SHORT_ROUNDS
        beyond = bool(self.fault.beyond(self.seen))
        return rounds >= SHORT_ROUNDS and enough(self._compared(), rounds, self.short, beyond)

    def _compared(self) -> Comparison | None:
        draw = random.Random(self.seed)  # noqa: S311 - the same samples give the same interval
        return compare(self.windows, self.stage.neighbours.gather(), draw)

    @property
    def _length(self) -> float:
        return SHORT_WINDOW if self.short else WINDOW

    async def _quiet(self) -> None:
        start = time.monotonic()
        await asyncio.sleep(self._length)
        self.windows.append(Window(start, time.monotonic(), False))

    async def _disturbed(self, scene: Scene) -> None:
        """The fault, again and again, for as long as a window is; once if it takes longer. With a pause in between: what is
        measured is what a fault does to neighbours, not what a flood of calls does."""
        start = time.monotonic()
        while True:
            self.seen.append(await self._act(scene))
            if self.seen[-1].problems or time.monotonic() - start >= self._length:
                break
            await asyncio.sleep(PAUSE)
        self.windows.append(Window(start, time.monotonic(), True))

    async def _act(self, scene: Scene) -> Seen:
        try:
            async with asyncio.timeout(self.fault.limit):
                return await self.fault.act(scene)
        except NotRun:
            raise
        except TimeoutError as error:
            return Seen(problems=(str(error) or f"it was not over within {self.fault.limit:g} s",))
        except NotInTime as error:
            return Seen(problems=(str(error),))
        except Exception as error:
            return Seen(problems=(f"the fault itself failed: {type(error).__name__}: {error}",))

    def _noise(self, samples: list[Sample]) -> float:
        """Seconds of the slowest call of a neighbour while there was no fault."""
        quiet = [ms for window in self.windows if not window.disturbed for ms in window.of(samples)]
        return max(quiet, default=0.0) / 1000

    async def _judged(self, scene: Scene, before: Gateway) -> Row:
        stage, start, end = self.stage, self.windows[0].start, self.windows[-1].end
        never = await stage.neighbours.settled(end)
        samples = [sample for sample in stage.neighbours.gather() if start <= sample.at < end]
        answers = scene.answers
        recorded = await asyncio.to_thread(stage.journal.settled, [*answers, *samples])
        if never and self.fault.isolated:
            self.seen.append(Seen(problems=(f"{never} neighbours' calls never ended",)))
        evidence = Evidence(
            fault=self.fault,
            short=self.short,
            seen=self.seen,
            answers=answers,
            samples=samples,
            comparison=self._compared(),
            recorded=recorded,
            before=before,
            after=await stage.settled(before),
            noise=self._noise(samples) if self.short else 0.0,
        )
        marks = [*scene.marks, *(Mark(answer.at, answer.words) for seen in self.seen for answer in seen.answers)]
        return row_of(evidence, Timeline(samples, self.windows, marks))
