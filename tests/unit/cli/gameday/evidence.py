"""Makes samples, windows and evidence for tests of the game day."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from cli.gameday.fault import Answer, Fault, Seen
from cli.gameday.measure import Sample, Window, compare
from cli.gameday.record import Recorded
from cli.gameday.scene import Scene
from cli.gameday.verdict import Evidence, Gateway


async def nothing(_scene: Scene) -> Seen:
    return Seen()


FAULT = Fault(7, "fork bomb", "bounded by the pid limit", nothing)


def sample(number: int, ms: float = 5.0, code: str = "OK", at: float | None = None, **more: Any) -> Sample:
    """The `number`-th call of 40 a second, recorded as `trace-NUMBER`."""
    return Sample(number, number / 40 if at is None else at, ms, code, trace=f"trace-{number}", **more)


def answer(code: str = "OK", trace: str = "mine", **more: Any) -> Answer:
    return Answer(code, trace=trace, **more)


def rounds(*pairs: tuple[float, float], calls: int = 40) -> tuple[list[Window], list[Sample]]:
    """Windows of a second, quiet and disturbed in turn, whose calls all take so many milliseconds."""
    windows, samples = [], []
    for number, ms in enumerate(ms for pair in pairs for ms in pair):
        windows.append(Window(number, number + 1, number % 2 == 1))
        samples += [sample(number * calls + call, ms, at=number + call / calls) for call in range(calls)]
    return windows, samples


def evidence(
    *,
    fault: Fault = FAULT,
    seen: Sequence[Seen] = (Seen(),),
    answers: Sequence[Answer] = (),
    pairs: Sequence[tuple[float, float]] = ((5.0, 5.0),),
    more: Sequence[Sample] = (),
    unrecorded: Sequence[str] = (),
    twice: Sequence[str] = (),
    short: bool = False,
    grown: float = 0.0,
    pid: int = 1,
) -> Evidence:
    """Evidence of a contained row, but for what is said."""
    windows, samples = rounds(*pairs)
    samples += more
    recorded = Recorded()
    for call in (*samples, *answers):
        if call.trace not in unrecorded:
            times = 2 if call.trace in twice else 1
            recorded.traces[call.trace] += times
            if call.call_id:
                recorded.ids[call.call_id] += times
    compared = compare(windows, samples, random.Random(1))
    return Evidence(
        fault, short, seen, answers, samples, compared, recorded, Gateway(1, 100.0), Gateway(pid, 100.0 + grown)
    )
