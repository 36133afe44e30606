"""The scorecard: a row for each fault, and the numbers to reach."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from cli.gameday.fault import medians
from cli.gameday.measure import Comparison, Sample, Window
from cli.gameday.scene import Mark
from cli.gameday.verdict import Evidence, Verdict


@dataclass(frozen=True)
class Goal:
    """A number to reach: at most `bound`, or at least where `least`."""

    title: str
    bound: float
    unit: str
    least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound


GOALS: Mapping[str, Goal] = {
    "kill_after_deadline_ms": Goal("worker gone after its call's deadline", 20, "ms"),
    "kill_after_cancel_ms": Goal("worker gone after its caller's cancel", 20, "ms"),
    "next_call_ms": Goal("next call on a warm worker", 15, "ms"),
    "open_rejection_ms": Goal("rejection by an open breaker", 5, "ms"),
    "neighbours_p99_ratio": Goal("neighbours' p99 beside the undisturbed run, median of rows", 1.25, "×"),
    "gateway_memory_growth_mib": Goal("gateway's growth over the day", 32, "MiB"),
    "unrecorded": Goal("calls unrecorded", 0, ""),
    "goodput_ratio": Goal("goodput at 4× overload beside the peak", 0.9, "×", least=True),
    "overload_p99_ratio": Goal("p99 of admitted calls at 4× beside 80 % load", 2, "×"),
}
"""What the issue asks for, by the summary's name; the summary has None where no row that ran measures it."""

MEASURED_BY_FAULTS = (
    "kill_after_deadline_ms",
    "kill_after_cancel_ms",
    "next_call_ms",
    "open_rejection_ms",
    "goodput_ratio",
    "overload_p99_ratio",
)


@dataclass(frozen=True)
class Timeline:
    """What the page draws: neighbours' calls, windows, and moments with their labels. Seconds are monotonic."""

    samples: Sequence[Sample] = ()
    windows: Sequence[Window] = ()
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Row:
    """One fault as it is shown. `answer_ms` is the median time to an answer, `deadline_over_ms` how far the
    latest was beyond its deadline, 0 for none. `isolated`: neighbours must not notice the fault, and count in the summary.

    None stands for what was not measured.
    """

    number: int
    name: str
    verdict: Verdict
    expected: str
    saw: str = ""
    answer_ms: float | None = None
    deadline_over_ms: float | None = None
    comparison: Comparison | None = None
    isolated: bool = True
    recovery_ms: float | None = None
    lost: int = 0
    unrecorded: int = 0
    calls: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    timeline: Timeline = Timeline()

    def as_object(self) -> dict[str, Any]:
        """For scorecard.json: everything but the timeline."""
        found: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("number", "name", "verdict", "expected", "saw", "answer_ms", "deadline_over_ms")
        }
        found["neighbours"] = _neighbours(self.comparison)
        found["isolated"] = self.isolated
        return found | {
            "recovery_ms": self.recovery_ms,
            "lost": self.lost,
            "unrecorded": self.unrecorded,
            "calls": self.calls,
            "figures": {name: _rounded(value) for name, value in self.figures.items()},
            "notes": list(self.notes),
            "problems": list(self.problems),
        }


@dataclass(frozen=True)
class Scorecard:
    """A whole day. `started` is RFC 3339; `growth` the gateway's in MiB over all rows that shared one instance."""

    started: str
    version: str
    short: bool
    rows: tuple[Row, ...]
    growth: float | None = None

    @property
    def leaked(self) -> bool:
        return any(row.verdict is Verdict.LEAKED for row in self.rows)

    def count(self, verdict: Verdict) -> int:
        return sum(row.verdict is verdict for row in self.rows)

    def summary(self) -> dict[str, float | None]:
        """The numbers to reach, by the names of GOALS, and the largest ratio."""
        ratios = [row.comparison.ratio for row in self.rows if row.comparison and row.isolated]
        found: dict[str, float | None] = {name: self._figure(name) for name in MEASURED_BY_FAULTS}
        return found | {
            "neighbours_p99_ratio": _rounded(median(ratios)) if ratios else None,
            "neighbours_p99_ratio_max": _rounded(max(ratios)) if ratios else None,
            "gateway_memory_growth_mib": None if self.growth is None else _rounded(self.growth),
            "unrecorded": sum(row.unrecorded for row in self.rows),
        }

    def _figure(self, name: str) -> float | None:
        """The median over the rows that measured it."""
        values = [row.figures[name] for row in self.rows if name in row.figures]
        return _rounded(median(values)) if values else None

    def as_object(self) -> dict[str, Any]:
        return {
            "started": self.started,
            "version": self.version,
            "short": self.short,
            "machine": machine(),
            "rows": [row.as_object() for row in self.rows],
            "summary": self.summary(),
        }

    def write(self, file: Path) -> None:
        """In one step. Raises OSError."""
        partial = file.with_suffix(".part")
        partial.write_text(json.dumps(self.as_object(), ensure_ascii=False, indent=1) + "\n")
        partial.replace(file)


def row_of(evidence: Evidence, timeline: Timeline) -> Row:
    """The row that evidence of a fault that ran makes."""
    problems, fault = tuple(evidence.problems()), evidence.fault
    shown = [answer for seen in evidence.seen for answer in seen.answers]
    recovery = evidence.recovery
    return Row(
        number=fault.number,
        name=fault.name,
        verdict=Verdict.LEAKED if problems else Verdict.CONTAINED,
        expected=fault.expected,
        saw=", ".join(dict.fromkeys(answer.code if answer.reason == answer.code else answer.words for answer in shown)),
        answer_ms=_milliseconds(median(answer.took for answer in shown)) if shown else None,
        deadline_over_ms=_milliseconds(max(0.0, *(answer.after for answer in shown))) if shown else None,
        comparison=evidence.comparison,
        isolated=fault.isolated,
        recovery_ms=None if recovery is None else _milliseconds(recovery),
        lost=len(evidence.lost),
        unrecorded=len(evidence.unrecorded),
        calls=len(evidence.answers) + len(evidence.samples),
        figures=medians(evidence.seen),
        notes=tuple(dict.fromkeys(note for seen in evidence.seen for note in seen.notes)),
        problems=problems,
        timeline=timeline,
    )


def machine() -> dict[str, Any]:
    """What the numbers were measured on; nothing that names it."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2,
        "python": platform.python_version(),
        "root": os.geteuid() == 0,
    }


def _neighbours(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        side: {name: _rounded(value) for name, value in asdict(getattr(comparison, side)).items()}
        for side in ("undisturbed", "disturbed")
    } | {
        "ratio": _rounded(comparison.ratio),
        "interval": [_rounded(comparison.low), _rounded(comparison.high)],
        "rounds": comparison.rounds,
    }


def _milliseconds(seconds: float) -> float:
    return _rounded(seconds * 1000)


def _rounded(value: float) -> float:
    return value if math.isnan(value) else round(value, 3)
