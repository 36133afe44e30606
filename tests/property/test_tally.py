"""The counters give what prometheus_client's own would give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from gateway.adapters.telemetry.tally import Spread, Tally

BOUNDS = (0.001, 0.5, 1, 10)
labels = st.sampled_from(["a", "b", 'quoted "\n'])


class _One(Collector):
    def __init__(self, source: Tally | Spread) -> None:
        self._source = source

    def collect(self) -> list[Metric]:
        return [self._source.collect()]


def samples(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sorted(f"{key}={value}" for key, value in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def ours(source: Tally | Spread) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(_One(source))
    return samples(registry)


@given(st.lists(st.tuples(labels, st.integers(0, 100))))
def test_a_tally_is_a_counter(amounts: list[tuple[str, int]]) -> None:
    registry = CollectorRegistry()
    theirs, tally = Counter("c", "text", ("l",), registry=registry), Tally("c", "text", ("l",))
    for label, amount in amounts:
        theirs.labels(label).inc(amount)
        tally.add((label,), amount)
    assert ours(tally) == samples(registry)


@given(st.lists(st.tuples(labels, st.floats(0, 100) | st.sampled_from(BOUNDS))))
def test_a_spread_is_a_histogram(values: list[tuple[str, float]]) -> None:
    registry = CollectorRegistry()
    theirs, spread = (
        Histogram("h", "text", ("l",), registry=registry, buckets=BOUNDS),
        Spread("h", "text", ("l",), BOUNDS),
    )
    for label, value in values:
        theirs.labels(label).observe(value)
        spread.add((label,), value)
    assert ours(spread) == samples(registry)
