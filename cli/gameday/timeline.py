"""A row's timeline as SVG: each call of a neighbour a dot at its latency, the fault's windows shaded, answers marked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from cli.gameday.measure import Sample, Window
from cli.gameday.scene import Mark
from cli.gameday.scorecard import Timeline

WIDTH, HEIGHT = 960, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 12, 24
MOST_DOTS = 1500
"""A full day has thirty of these on one page: beyond this many calls every second, third, … is drawn, and all slow ones."""
MOST_MARKS = 60


def svg(timeline: Timeline, label: str) -> str:
    """The drawing, "" where nothing was measured. Latency is on a logarithmic scale: a stall must not hide the rest."""
    if not timeline.windows or not timeline.samples:
        return ""
    scale = _Scale(timeline)
    parts = [
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">',
        *(_window(window, scale) for window in timeline.windows if window.disturbed),
        *_grid(scale),
        *(_dot(sample, scale) for sample in _thinned(timeline.samples)),
        *(_mark(mark, scale) for mark in timeline.marks[:MOST_MARKS]),
        "</svg>",
    ]
    return "".join(parts)


class _Scale:
    """From seconds and milliseconds to the drawing's units."""

    def __init__(self, timeline: Timeline) -> None:
        self.start, self.end = timeline.windows[0].start, timeline.windows[-1].end
        self.low = max(0.1, min(sample.ms for sample in timeline.samples)) * 0.8
        self.high = max(10.0, max(sample.ms for sample in timeline.samples)) * 1.25

    def x(self, at: float) -> float:
        share = (at - self.start) / max(1e-9, self.end - self.start)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, ms: float) -> float:
        share = math.log(max(ms, self.low) / self.low) / math.log(self.high / self.low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _window(window: Window, scale: _Scale) -> str:
    left, right = scale.x(window.start), scale.x(window.end)
    return (
        f'<rect class="fault" x="{left}" y="{TOP}" width="{right - left:.1f}" height="{HEIGHT - TOP - BOTTOM}">'
        "<title>the fault is there</title></rect>"
    )


def _grid(scale: _Scale) -> Iterator[str]:
    for ms in (0.1, 1, 10, 100, 1000, 10_000):
        if scale.low <= ms <= scale.high:
            y = scale.y(ms)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text class="axis" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{ms:g} ms</text>'
    length = scale.end - scale.start
    step = next((step for step in (1, 2, 5, 10, 20, 60) if length / step <= 12), 120)
    for second in range(0, int(length) + 1, step):
        x = scale.x(scale.start + second)
        yield f'<text class="axis" x="{x}" y="{HEIGHT - 6}" text-anchor="middle">{second} s</text>'


def _thinned(samples: Sequence[Sample]) -> list[Sample]:
    every = max(1, len(samples) // MOST_DOTS + 1)
    slow = sorted(sample.ms for sample in samples)[int(len(samples) * 0.95)]
    return [one for number, one in enumerate(samples) if number % every == 0 or one.ms >= slow or not one.good]


def _dot(sample: Sample, scale: _Scale) -> str:
    if sample.good:
        return f'<circle class="call" cx="{scale.x(sample.at)}" cy="{scale.y(sample.ms)}" r="1.7"/>'
    words = escape(f"{sample.code} {sample.reason}")
    return f'<circle class="failed" cx="{scale.x(sample.at)}" cy="{scale.y(sample.ms)}" r="3"><title>{words}</title></circle>'


def _mark(mark: Mark, scale: _Scale) -> str:
    x = scale.x(mark.at)
    return (
        f'<g class="mark"><line x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<path d="M{x - 4} {TOP - 7}h8l-4 7z"/><title>{escape(mark.label)}</title></g>'
    )
