"""Without an exporter the caller's trace goes through; a malformed one does not."""

from __future__ import annotations

import pytest

from gateway.adapters.telemetry.tracing import Untraced, trace_headers
from gateway.service import Finish
from tests.unit.gateway.chain_fakes import call

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_trace_headers_go_through() -> None:
    made = call(metadata=(("traceparent", PARENT), ("tracestate", "a=1")))
    attempt = Untraced().attempt(made)
    assert attempt.metadata == (("traceparent", PARENT), ("tracestate", "a=1"))
    attempt.end(Finish())


def test_without_a_parent_there_is_no_state() -> None:
    assert trace_headers(call(metadata=(("tracestate", "a=1"),))) == ()


def test_a_state_too_long_is_left_out() -> None:
    made = call(metadata=(("traceparent", PARENT), ("tracestate", "a" * 513)))
    assert trace_headers(made) == (("traceparent", PARENT),)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        PARENT.upper(),
        PARENT + "\n",
        "ff" + PARENT[2:],
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
    ],
)
def test_a_malformed_parent_is_not_passed_on(parent: str) -> None:
    assert trace_headers(call(metadata=(("traceparent", parent),))) == ()
