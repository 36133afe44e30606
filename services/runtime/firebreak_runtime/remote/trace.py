"""The W3C trace that a program is in, where it uses OpenTelemetry."""

from __future__ import annotations

import sys
from typing import Any


def current_traceparent() -> str:
    """The `traceparent` of the current span; "" where there is none.

    OpenTelemetry is not imported for this: a program that has not done so itself has no span.
    """
    trace: Any = sys.modules.get("opentelemetry.trace")
    current_span = getattr(trace, "get_current_span", None)  # not there while another thread is importing it
    if current_span is None:
        return ""
    span = current_span().get_span_context()
    if not span.is_valid:
        return ""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"
