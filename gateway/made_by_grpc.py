"""Whether a status is a routed target's own, or one that grpc made in its name because something between the two failed.

grpc does not say which. What it makes itself it words in few ways, of which these are known; some of them name addresses.
"""

from __future__ import annotations

from gateway.errors import Code, Reason

_CONNECTION = (
    "failed to connect",
    "connections to all backends failing",
    "empty address list",
    "DNS resolution failed",
    "Name resolution failure",
    "Stream removed",
    "Socket closed",
    "GOAWAY received",
    "Transport closed",
    "Subchannel",
    "subchannel",
    "Channel shutdown",
    "Channel closed",
)
"""How the texts begin when a connection fails."""

_BROKEN = (Code.UNAVAILABLE, Code.UNKNOWN, Code.INTERNAL)
_ADDRESSES = ("ipv4:", "ipv6:", "unix:")
_TOO_LATE = ("Deadline Exceeded", "Stream removed (Deadline Exceeded)")
_TOO_LARGE = ("CLIENT: Received message larger", "received metadata size exceeds")


def made_by_grpc(code: Code, text: str) -> Reason | None:
    """Why grpc made the status of `code` and `text`: TARGET_UNAVAILABLE, DEADLINE_EXCEEDED or RESPONSE_TOO_LARGE.

    None for a target's own.
    """
    if code is Code.DEADLINE_EXCEEDED and text in _TOO_LATE:
        return Reason.DEADLINE_EXCEEDED
    if code is Code.RESOURCE_EXHAUSTED and any(mark in text for mark in _TOO_LARGE):
        return Reason.RESPONSE_TOO_LARGE
    if code in _BROKEN and text.startswith(_CONNECTION):
        return Reason.TARGET_UNAVAILABLE
    if code is Code.UNAVAILABLE and any(mark in text for mark in _ADDRESSES):
        return Reason.TARGET_UNAVAILABLE
    return None
