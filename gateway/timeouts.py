"""The one place that enforces deadlines. Stages narrow a call's deadline; what overruns ends with DEADLINE_EXCEEDED."""

from __future__ import annotations

from gateway.call import Call
from gateway.errors import CallError, Reason
from gateway.service import Finish, Send, Service
from gateway.time_limit import TimeLimit


async def enforce(service: Service, call: Call, send: Send) -> Finish:
    """Serves `call` and ends it when its own deadline passes first.

    A cancellation by the caller stays a CancelledError. Raises CallError DEADLINE_EXCEEDED.
    """
    limit = TimeLimit(call.deadline.at)
    try:
        with limit:
            return await service(call, send)
    except TimeoutError:
        if limit.expired:
            raise overrun(call) from None
        raise


async def pass_on(service: Service, call: Call, send: Send, narrowed: Call) -> Finish:
    """Serves `narrowed`, which a stage made of `call`.

    Its deadline is enforced where it is earlier than that of `call`; an outer stage enforces the latter already.
    """
    if narrowed.deadline.at < call.deadline.at:
        return await enforce(service, narrowed, send)
    return await service(narrowed, send)


def overrun(call: Call) -> CallError:
    """The error of a call whose deadline has passed."""
    target = call.facts.target
    whom = f'"{target}"' if target else "the gateway"
    return CallError(
        Reason.DEADLINE_EXCEEDED,
        f"The deadline passed before {whom} had answered. Allow more time, or ask for less at once.",
        metadata={"target": target} if target else {},
    )
