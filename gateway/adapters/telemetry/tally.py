"""Counters that cost little to raise: plain numbers, which a Prometheus collector reads when metrics are asked for.

Every call raises a dozen of them, all in the event loop's thread, so that the locks of prometheus_client's own metrics
would be paid for nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric


class Tally:
    """A counter with labels."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._values: defaultdict[tuple[str, ...], float] = defaultdict(float)

    def add(self, labels: tuple[str, ...], amount: float = 1) -> None:
        self._values[labels] += amount

    def collect(self) -> Metric:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in list(self._values.items()):
            family.add_metric(labels, value)
        return family


class Spread:
    """A histogram with labels; `bounds` are the inclusive upper ends of its buckets, rising."""

    def __init__(self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name, self._text, self._labels, self._bounds = name, text, labels, bounds
        self._buckets: dict[tuple[str, ...], list[int]] = {}
        self._sums: defaultdict[tuple[str, ...], float] = defaultdict(float)

    def add(self, labels: tuple[str, ...], value: float) -> None:
        buckets = self._buckets.get(labels)
        if buckets is None:
            buckets = self._buckets[labels] = [0] * (len(self._bounds) + 1)
        buckets[bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def collect(self) -> Metric:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, buckets in list(self._buckets.items()):
            family.add_metric(labels, list(self._cumulative(buckets)), self._sums[labels])
        return family

    def _cumulative(self, buckets: list[int]) -> Iterable[tuple[str, float]]:
        ends = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return zip(ends, accumulate(buckets), strict=True)
