"""A target's own status passes; what grpc says when a connection fails does not, since it may name addresses."""

from __future__ import annotations

import pytest

from gateway.errors import Code, Reason
from gateway.made_by_grpc import made_by_grpc


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (
            Code.UNAVAILABLE,
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.3:50051: Connection refused",
            Reason.TARGET_UNAVAILABLE,
        ),
        (Code.UNAVAILABLE, "Stream removed (Socket closed)", Reason.TARGET_UNAVAILABLE),
        (Code.UNAVAILABLE, "GOAWAY received; Error code: 0; Debug Text: bye", Reason.TARGET_UNAVAILABLE),
        (Code.UNAVAILABLE, "something new about unix:/run/orders.sock", Reason.TARGET_UNAVAILABLE),
        (Code.INTERNAL, "Stream removed (RST_STREAM)", Reason.TARGET_UNAVAILABLE),
        (Code.DEADLINE_EXCEEDED, "Deadline Exceeded", Reason.DEADLINE_EXCEEDED),
        (Code.DEADLINE_EXCEEDED, "Stream removed (Deadline Exceeded)", Reason.DEADLINE_EXCEEDED),
        (
            Code.RESOURCE_EXHAUSTED,
            "CLIENT: Received message larger than max (65537 vs. 65536)",
            Reason.RESPONSE_TOO_LARGE,
        ),
        (
            Code.RESOURCE_EXHAUSTED,
            "Stream removed (received metadata size exceeds hard limit (value length 20000 vs. 16384))",
            Reason.RESPONSE_TOO_LARGE,
        ),
    ],
)
def test_what_grpc_makes(code: Code, text: str, reason: Reason) -> None:
    assert made_by_grpc(code, text) is reason


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (Code.UNAVAILABLE, "busy"),
        (Code.UNAVAILABLE, ""),
        (Code.UNAVAILABLE, "the stream was removed"),
        (Code.NOT_FOUND, "Subchannel 7 is not there"),
        (Code.INVALID_ARGUMENT, "ipv4:10.0.0.3 is no address of yours"),
        (Code.DEADLINE_EXCEEDED, "the report took too long"),
        (Code.RESOURCE_EXHAUSTED, "your quota is used up"),
        (Code.CANCELLED, "Stream removed (RST_STREAM (Received RST_STREAM with error code 8))"),
    ],
)
def test_what_a_target_says_itself(code: Code, text: str) -> None:
    assert made_by_grpc(code, text) is None
