"""Deadline: no call runs without an end, and the caller's own limit covers all that follows, authentication and policy too."""

from __future__ import annotations

from gateway.call import Call
from gateway.ports import Clock
from gateway.service import Filter, Finish, Send, Service
from gateway.timeouts import enforce, overrun


def deadline(longest: float, clock: Clock) -> Filter:
    """A stage that ends calls at their deadline, `longest` seconds after their start at the latest.

    Refuses a call whose deadline has passed already. Notes in the facts when the caller set none, so that Validate can
    apply the target's default.
    """

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            now = clock()
            if call.deadline.expired(now):
                raise overrun(call)
            call.facts.open_ended = call.deadline.at == float("inf")
            narrowed = call.deadline.at_most(now + longest)
            bounded = call if narrowed is call.deadline else call.narrowed(narrowed)
            return await enforce(service, bounded, send)

        return serve

    return wrap
