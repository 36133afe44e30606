"""What a call brings along for the code that serves it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class CallContext:
    """One call as its worker sees it.

    `deadline` is in seconds of CLOCK_MONOTONIC (`time.monotonic`), which is the same in host and worker. `session` is
    the token that child calls carry, `traceparent` the W3C header that they join; both are "" where there is none.
    """

    deadline: float
    session: str = ""
    traceparent: str = ""
    call_id: str = ""


current: ContextVar[CallContext] = ContextVar("firebreak_call")
"""The call that this code runs for; set by the worker around each call, unset outside of one."""
