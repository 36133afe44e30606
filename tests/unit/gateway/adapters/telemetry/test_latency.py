"""What /status shows of a target."""

from __future__ import annotations

from gateway.adapters.telemetry.latency import Latencies, Summary
from gateway.errors import Code


def test_a_target_without_calls_has_no_times() -> None:
    assert Latencies().summary("calculator") == Summary(0, 0, None, None)


def test_quantiles_are_over_calls_that_reached_the_target() -> None:
    latencies = Latencies()
    for n in range(1, 101):
        latencies.add("calculator", Code.OK, n / 1000, reached=True)
    latencies.add("calculator", Code.PERMISSION_DENIED, 99.0, reached=False)
    latencies.add("calculator", Code.UNAVAILABLE, 99.0, reached=False)
    latencies.add("other", Code.OK, 99.0, reached=True)
    assert latencies.summary("calculator") == Summary(102, 1, 0.05, 0.099)


def test_only_recent_times_are_kept() -> None:
    latencies = Latencies()
    for _ in range(1000):
        latencies.add("calculator", Code.OK, 5.0, reached=True)
    for _ in range(1000):
        latencies.add("calculator", Code.OK, 1.0, reached=True)
    assert latencies.summary("calculator") == Summary(2000, 0, 1.0, 1.0)


def test_one_call_is_its_own_median() -> None:
    latencies = Latencies()
    latencies.add("calculator", Code.OK, 0.5, reached=True)
    assert latencies.summary("calculator") == Summary(1, 0, 0.5, 0.5)
