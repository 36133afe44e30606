"""The port between the recorder and tracing, and the tracing of a gateway that exports no spans."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from gateway.call import Call, Metadata
from gateway.errors import CallError, Code
from gateway.ports import AttemptRecord
from gateway.service import Finish

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_STATE_LIMIT = 512


class Tracing(Protocol):
    """Spans of calls and attempts."""

    def started(self, call: Call) -> None: ...

    def attempt(self, call: Call) -> AttemptRecord: ...

    def ended(self, call: Call, code: Code, reason: str) -> None: ...

    def close(self) -> None:
        """Exports what is left; waits a few seconds at most."""
        ...


def trace_headers(call: Call) -> Metadata:
    """The caller's W3C trace headers; empty where they are missing or malformed."""
    parent = call.header(TRACEPARENT)
    if parent is None or not _TRACEPARENT.fullmatch(parent):
        return ()
    state = call.header(TRACESTATE)
    if state is None or len(state) > _STATE_LIMIT:
        return ((TRACEPARENT, parent),)
    return ((TRACEPARENT, parent), (TRACESTATE, state))


@dataclass(frozen=True, slots=True)
class _Untraced:
    metadata: Metadata

    def end(self, finish: Finish | CallError | BaseException) -> None:
        """There is no span to end."""


class Untraced:
    """Makes no spans, and lets the caller's trace go through to the target."""

    def started(self, call: Call) -> None:
        """There is no span to start."""

    def attempt(self, call: Call) -> AttemptRecord:
        return _Untraced(trace_headers(call))

    def ended(self, call: Call, code: Code, reason: str) -> None:
        """There is no span to end."""

    def close(self) -> None:
        """There is nothing to export."""
