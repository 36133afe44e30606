"""Latency of neighbours with the fault beside them against the same without it.

Two cores that others use too are noisy, and the noise comes in stretches. So windows with the fault and windows without it take
turns, in rounds: what slows the machine for a while slows both. Of each window the p99 is taken, of each kind the median over
the rounds, and the ratio of the two medians is the result; one bad window on either side does not move it. How far the ratio
can be trusted is told by a bootstrap over rounds: rounds are drawn with replacement, each with both of its windows, so that
what they had in common stays together. The full form goes on with rounds while the interval of 90 % has the bound in it, up to
MOST_ROUNDS; then the ratio itself decides. A window has at least WINDOW seconds of a fixed rate of calls: below some 200 calls
a p99 is no more than the one or two worst of them.

The short form has SHORT_ROUNDS rounds of short windows. Its p99 is hardly more than the worst call of each window, so beyond
the goal of 1.25 it is told, and only beyond SHORT_BOUND, and by more than SHORT_NOISE milliseconds, does it count. What so few
rounds take for a leak is looked at for LEAST_ROUNDS, and their medians decide.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

GOAL = 1.25
"""What neighbours' p99 may be at most, times that of the undisturbed run."""
SHORT_BOUND = 4.0
SHORT_NOISE = 100.0
FULL_NOISE = 1.0
"""Milliseconds by which the medians must differ before the ratio counts in the full form: timers are no better."""

LEAST_ROUNDS, MOST_ROUNDS = 5, 12
SHORT_ROUNDS = 2
WINDOW, SHORT_WINDOW = 5.0, 1.5
DRAWS = 1000
INTERVAL = 0.90


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of `values` do not exceed, by nearest rank; nan for none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True)
class Sample:
    """One call of a neighbour: when it was meant to be sent (monotonic seconds), and the milliseconds from then to its end.

    `number` counts the calls in the order in which they were meant to be sent, from 0.
    """

    number: int
    at: float
    ms: float
    code: str
    reason: str = ""
    call_id: str = ""
    trace: str = ""

    @property
    def good(self) -> bool:
        return self.code == "OK"


@dataclass(frozen=True)
class Window:
    """A stretch of time, monotonic seconds; `disturbed` if the fault was there."""

    start: float
    end: float
    disturbed: bool

    def of(self, samples: Sequence[Sample]) -> list[float]:
        """Latencies of the calls that were meant to be sent in it."""
        return [sample.ms for sample in samples if self.start <= sample.at < self.end]


@dataclass(frozen=True)
class Percentiles:
    """Milliseconds: medians over the windows of one kind."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Comparison:
    """`ratio` of the p99s, and the interval in which it lies with 90 %."""

    undisturbed: Percentiles
    disturbed: Percentiles
    ratio: float
    low: float
    high: float
    rounds: int

    @property
    def settled(self) -> bool:
        """Whether more rounds would hardly change on which side of the goal it is."""
        return not self.low <= GOAL <= self.high

    def leaks(self, short: bool) -> bool:
        """Whether the neighbours noticed more than they may."""
        bound, noise = (SHORT_BOUND, SHORT_NOISE) if short else (GOAL, FULL_NOISE)
        return self.ratio > bound and self.disturbed.p99 - self.undisturbed.p99 > noise


def compare(windows: Sequence[Window], samples: Sequence[Sample], draw: random.Random) -> Comparison | None:
    """The comparison over rounds, each an undisturbed window and the disturbed one after it; None without a whole round."""
    rounds = [
        (quiet.of(samples), loud.of(samples))
        for quiet, loud in zip(windows[::2], windows[1::2], strict=False)
        if not quiet.disturbed and loud.disturbed
    ]
    rounds = [pair for pair in rounds if pair[0] and pair[1]]
    if not rounds:
        return None
    tails = [(percentile(quiet, 0.99), percentile(loud, 0.99)) for quiet, loud in rounds]
    quiet, loud = (_percentiles([pair[side] for pair in rounds]) for side in (0, 1))
    low, high = _interval(tails, draw)
    return Comparison(quiet, loud, _ratio(tails), low, high, len(rounds))


def enough(found: Comparison | None, rounds: int, short: bool, beyond: bool = False) -> bool:
    """Whether after so many rounds there need be no more. `found` is what they say, `beyond` that a figure is too large."""
    if short:
        doubt = beyond or (found is not None and found.leaks(short))
        return rounds >= LEAST_ROUNDS or (rounds == SHORT_ROUNDS and not doubt)
    return rounds >= MOST_ROUNDS or (rounds >= LEAST_ROUNDS and found is not None and found.settled)


def _percentiles(windows: Sequence[Sequence[float]]) -> Percentiles:
    return Percentiles(*(median(percentile(window, share) for window in windows) for share in (0.5, 0.99)))


def _ratio(tails: Sequence[tuple[float, float]]) -> float:
    return median(loud for _, loud in tails) / max(1e-9, median(quiet for quiet, _ in tails))


def _interval(tails: Sequence[tuple[float, float]], draw: random.Random) -> tuple[float, float]:
    ratios = sorted(_ratio(draw.choices(tails, k=len(tails))) for _ in range(DRAWS))
    edge = int(DRAWS * (1 - INTERVAL) / 2)
    return ratios[edge], ratios[-edge - 1]
