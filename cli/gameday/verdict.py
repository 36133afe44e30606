"""Whether a row is contained: everything that speaks against it, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cli.gameday.fault import Answer, Fault, Seen
from cli.gameday.measure import Comparison, Sample
from cli.gameday.record import Recorded

GROWTH = 32.0
"""MiB that the gateway may be larger after a row than before, and after the whole day."""
MOST_EXAMPLES = 3


class Verdict(StrEnum):
    """How a row ended."""

    CONTAINED = "contained"
    LEAKED = "leaked"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Gateway:
    """The gateway's process at one moment; `memory` in MiB."""

    pid: int
    memory: float


@dataclass(frozen=True)
class Evidence:
    """All that was seen of one fault. `samples` are the neighbours' calls around it.

    `noise` is how late an answer may be beyond its bound because of the machine: 0 in the full form; in the short one the
    longest, in seconds, that a neighbour waited without any fault, since two rounds on a busy machine tell no more.
    """

    fault: Fault
    short: bool
    seen: Sequence[Seen]
    answers: Sequence[Answer]
    samples: Sequence[Sample]
    comparison: Comparison | None
    recorded: Recorded
    before: Gateway
    after: Gateway
    noise: float = 0.0

    @property
    def lost(self) -> list[Sample]:
        """Neighbours' calls that failed."""
        return [sample for sample in self.samples if not sample.good]

    @property
    def unrecorded(self) -> list[Answer | Sample]:
        """Calls whose place in the journal is not one row."""
        calls: list[Answer | Sample] = [*self.answers, *self.samples]
        return [call for call in calls if self.recorded.problem(call)]

    @property
    def recovery(self) -> float | None:
        """Seconds, the longest of all rounds; None if it did not recover in one of them."""
        times = [seen.recovered for seen in self.seen]
        return None if None in times else max((time for time in times if time is not None), default=0.0)

    def problems(self) -> list[str]:
        """What makes the row leaked; empty for a contained one."""
        found = list(dict.fromkeys(problem for seen in self.seen for problem in seen.problems))
        found += _some("answer", [_wrong(answer) for answer in self.answers if not answer.right])
        found += _some("answer", [_late(answer) for answer in self.answers if answer.right and self._is_late(answer)])
        found += _some("call", [f"{self.recorded.problem(call)}: {_named(call)}" for call in self.unrecorded])
        if self.fault.isolated:
            found += self._neighbours()
        return found + self.fault.beyond(self.seen) + self._gateway() + self._recovered()

    def _is_late(self, answer: Answer) -> bool:
        return answer.after > answer.by + self.noise

    def _neighbours(self) -> list[str]:
        failed = Counter(f"{sample.code} {sample.reason}".strip() for sample in self.lost)
        found = [f"{count} neighbours' calls ended with {how}" for how, count in failed.items()]
        if self.comparison is None:
            return [*found, "no neighbour's call was measured"]
        if self.comparison.leaks(self.short):
            quiet, loud = self.comparison.undisturbed.p99, self.comparison.disturbed.p99
            found.append(f"neighbours' p99 {loud:.1f} ms beside {quiet:.1f} ms: {self.comparison.ratio:.2f} times")
        return found

    def _gateway(self) -> list[str]:
        if not self.fault.gateway_stays:
            return []
        if self.after.pid != self.before.pid:
            return [f"the gateway is another process: {self.after.pid}, was {self.before.pid}"]
        grown = self.after.memory - self.before.memory
        return [f"the gateway grew by {grown:.0f} MiB"] if grown > GROWTH else []

    def _recovered(self) -> list[str]:
        if self.recovery is None:
            return ["the service did not become healthy again by itself"]
        if self.recovery > self.fault.recovery:
            return [f"the service was healthy again after {self.recovery:.1f} s, not within {self.fault.recovery:g} s"]
        return []


def _wrong(answer: Answer) -> str:
    said = f" ({answer.text[:120]})" if answer.text and not answer.right else ""
    return f"{answer.words}{said} instead of {' or '.join(answer.wanted)}"


def _late(answer: Answer) -> str:
    return f"{answer.words} came {answer.after * 1000:.0f} ms after it was due, not within {answer.by * 1000:.0f} ms"


def _named(call: Answer | Sample) -> str:
    return f"{call.code} {call.reason} {call.call_id or 'trace ' + call.trace}".replace("  ", " ")


def _some(what: str, problems: list[str]) -> list[str]:
    """The first few of many alike."""
    more = len(problems) - MOST_EXAMPLES
    return problems[:MOST_EXAMPLES] + ([f"and {more} more such {what}s"] if more > 0 else [])
