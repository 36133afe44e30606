"""How a call ended: in two words from fixed sets, so that a metric's labels stay few, and as its caller is told."""

from __future__ import annotations

import asyncio
import logging

from gateway.call import Call
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Code, Reason
from gateway.service import Finish

_log = logging.getLogger(__name__)

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


def failure(error: BaseException, call: Call) -> BaseException:
    """What `call` ends with, of what a stage raised.

    A CallError learns the target's name, so that a caller of many targets sees which one it was. Another exception is a bug:
    it is logged with its traceback under the call's id, and becomes the cause of INTERNAL, which has that id and nothing of
    its text. Cancellation stays itself.
    """
    if isinstance(error, CallError):
        if call.facts.target:
            error.metadata.setdefault("target", call.facts.target)
        return error
    return _internal(call, error) if isinstance(error, Exception) else error


def _internal(call: Call, error: Exception) -> CallError:
    # The call's id serves as the correlation id: it is unique, in the log line, and already known to the caller.
    call.facts.correlation = call.id
    _log.error("a call ended by a bug", extra={"correlation_id": call.id}, exc_info=error)
    internal = CallError(
        Reason.INTERNAL,
        f"Something went wrong inside the gateway. Tell the platform team the correlation id {call.id}.",
        metadata={"correlation_id": call.id},
    )
    internal.__cause__ = error
    return internal
