"""How a call ended, in two words from fixed sets: whatever a service sends, a metric's labels stay few."""

from __future__ import annotations

import asyncio

from gateway.core.deadline import Deadline
from gateway.errors import CallError, Code, Reason
from gateway.service import Finish

OTHER = "OTHER"
"""Stands for a reason that a target gave and that is none of Firebreak's."""

_KNOWN = frozenset(reason.value for reason in Reason)

# The caller's clock for the same deadline started earlier than the gateway's, so its cancellation often comes first.
_SKEW = 0.05

FAULTS = frozenset(
    {
        Code.UNKNOWN,
        Code.DEADLINE_EXCEEDED,
        Code.RESOURCE_EXHAUSTED,
        Code.ABORTED,
        Code.UNIMPLEMENTED,
        Code.INTERNAL,
        Code.UNAVAILABLE,
        Code.DATA_LOSS,
    }
)
"""Codes that are no fault of the caller's request."""


def classify(outcome: Finish | BaseException, deadline: Deadline, now: float) -> tuple[Code, str]:
    """Status code and reason of a call or an attempt that ended with `outcome` at `now`.

    The reason is "" where there is none.
    """
    if isinstance(outcome, Finish):
        return outcome.code, known(outcome.reason)
    if isinstance(outcome, CallError):
        return outcome.code, outcome.reason.value
    if not isinstance(outcome, asyncio.CancelledError):
        return Code.INTERNAL, Reason.INTERNAL.value
    if deadline.remaining(now) <= _SKEW:
        return Code.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED.value
    return Code.CANCELLED, Reason.CANCELLED.value


def known(reason: str) -> str:
    return reason if reason in _KNOWN or not reason else OTHER
