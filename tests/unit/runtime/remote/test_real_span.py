"""The trace of a real OpenTelemetry span goes along, where OpenTelemetry is installed."""

from __future__ import annotations

import pytest
from firebreak_runtime.remote.trace import current_traceparent

pytest.importorskip("opentelemetry.sdk.trace", reason="services do not need OpenTelemetry; some environments lack it")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def test_it_is_what_opentelemetrys_own_propagator_writes() -> None:
    assert current_traceparent() == ""

    with TracerProvider().get_tracer("test").start_as_current_span("asking"):
        written: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(written)

        assert current_traceparent() == written["traceparent"] != ""
