"""Which metadata of a routed call passes the gateway: all of it, but what belongs to one hop or to Firebreak itself."""

from __future__ import annotations

from gateway.call import Metadata

_HOP = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""What HTTP means for the next hop only. gRPC sets what it needs of these on each connection itself."""

_TRACE = frozenset({"traceparent", "tracestate"})
_CREDENTIALS = "authorization"
_OWN = "firebreak-"
_WIRE = ("grpc-accept-encoding", "grpc-encoding", "grpc-internal-", "grpc-message", "grpc-status", "grpc-timeout")
_DETAILS = "grpc-status-details-bin"


def to_target(metadata: Metadata) -> Metadata:
    """The caller's metadata for its target.

    Never the caller's credentials: they are made out to this gateway. Nor its trace headers, which the attempt replaces.
    """
    return tuple(
        entry
        for entry in metadata
        if not entry[0].startswith((":", "grpc-", _OWN))
        and entry[0] not in _HOP
        and entry[0] not in _TRACE
        and entry[0] != _CREDENTIALS
    )


def to_caller(metadata: Metadata) -> Metadata:
    """A target's initial metadata or trailers for its caller."""
    return tuple(
        entry
        for entry in metadata
        if entry[0] == _DETAILS or (not entry[0].startswith((":", _OWN, *_WIRE)) and entry[0] not in _HOP)
    )
