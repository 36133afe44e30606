"""What of a routed call's metadata passes, in either direction."""

from __future__ import annotations

import pytest

from gateway.headers import to_caller, to_target


@pytest.mark.parametrize(
    "key",
    [
        "authorization",
        "proxy-authorization",
        "firebreak-session",
        "firebreak-call-id",
        "grpc-timeout",
        "grpc-trace-bin",
        "traceparent",
        "tracestate",
        "user-agent",
        "te",
        "connection",
        ":authority",
    ],
)
def test_what_does_not_reach_the_target(key: str) -> None:
    assert to_target(((key, "v"), ("x-kept", "1"))) == (("x-kept", "1"),)


@pytest.mark.parametrize("key", ["x-own", "acme-tenant", "authorization-note", "baggage", "firebreakish", "cookie"])
def test_what_reaches_the_target(key: str) -> None:
    assert to_target(((key, "a"), (key, "b"))) == ((key, "a"), (key, "b"))


@pytest.mark.parametrize(
    "key", ["firebreak-call-id", "grpc-status", "grpc-message", "grpc-encoding", "content-type", ":status"]
)
def test_what_does_not_reach_the_caller(key: str) -> None:
    assert to_caller(((key, "v"), ("x-kept", "1"))) == (("x-kept", "1"),)


@pytest.mark.parametrize(
    "key", ["grpc-status-details-bin", "grpc-retry-pushback-ms", "date", "set-cookie", "x-own-bin"]
)
def test_what_reaches_the_caller(key: str) -> None:
    assert to_caller(((key, b"a"), (key, b"b"))) == ((key, b"a"), (key, b"b"))
