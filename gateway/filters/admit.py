"""Admit sheds load before anything costly is done for a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.call import Call
from gateway.config import Admission, Rate
from gateway.core.session_calls import OneSession, SessionCalls
from gateway.core.token_bucket import TokenBuckets
from gateway.errors import CallError, Reason
from gateway.ports import Clock, Quotas
from gateway.service import Filter, Finish, Send, Service

_COME_BACK = 1.0
"""Seconds after which a caller that was shed may try again: calls end and gateways restart in about that time."""

_LONGEST_TURN = 1.0
"""Seconds that a call waits for its session's rate at most: those that wait hold places, which other sessions need too."""


@dataclass(slots=True)
class Admitted:
    """Calls in flight: those from outside, and those that services make while they serve one (child calls)."""

    outside: int = 0
    children: int = 0

    def of(self, child: bool) -> int:
        return self.children if child else self.outside

    def count(self, child: bool, change: int) -> None:
        if child:
            self.children += change
        else:
            self.outside += change


def admit(
    admission: Admission,
    clock: Clock,
    draining: Callable[[], bool],
    admitted: Admitted | None = None,
    shared: Quotas | None = None,
) -> Filter:
    """Rejects with DRAINING, OVERLOADED, RATE_LIMITED, DEPTH_EXCEEDED or CALL_BUDGET_EXCEEDED.

    A principal's rate is that of this gateway, and behind it the one that all gateways have in common where that is `shared`.

    Where services make calls in one session faster than its rate, each waits for its turn; RATE_LIMITED if that is more than a
    second away, or behind its deadline.

    Holds a place in flight until the call ends. A child call belongs to work that was let in before. So it is served while
    the gateway drains, and it has as many places of its own as there are for calls from outside: a gateway full of agents
    can still serve their tools.
    """
    places = admitted or Admitted()
    buckets = TokenBuckets(admission.principal_rate.per_second, admission.principal_rate.burst)
    sessions = SessionCalls(admission.session_rate.per_second, admission.session_rate.burst)

    def check(call: Call, child: bool) -> None:
        if draining() and not child:
            raise CallError(
                Reason.DRAINING, "This gateway is shutting down. Connect again and retry.", retry_after=_COME_BACK
            )
        if places.of(child) >= admission.in_flight:
            raise CallError(
                Reason.OVERLOADED,
                f"The gateway serves {admission.in_flight} calls at once and is full. Try again shortly.",
                retry_after=_COME_BACK,
                quota="gateway:in_flight",
            )
        _check_rate(call, buckets, admission.principal_rate.per_second, clock())

    async def check_with_a_place(call: Call) -> None:
        # What has to be waited for comes behind the place: others ask for theirs in the meantime.
        if shared is not None:
            await _check_shared_rate(call, shared, admission.principal_rate)
        _check_depth(call, admission.max_depth)
        assert call.session is not None  # Authenticate comes first
        if call.session.depth > 0:
            # Last: only a call that is let in is one that was made.
            now = clock()
            await _take_turn(call, sessions.of(call.session.id, now), admission, now)

    def wrap(inner: Service) -> Service:
        async def admitting(call: Call, send: Send) -> Finish:
            child = call.session is not None and call.session.depth > 0
            check(call, child)
            places.count(child, 1)
            try:
                await check_with_a_place(call)
                call.facts.stages["admit"] = clock() - call.facts.started
                return await inner(call, send)
            finally:
                places.count(child, -1)
                if not child and call.session is not None:
                    sessions.forget(call.session.id)

        return admitting

    return wrap


def _check_rate(call: Call, buckets: TokenBuckets, per_second: float, now: float) -> None:
    assert call.principal is not None  # Authenticate comes first
    if wait := buckets.take(call.principal.id, now):
        raise _too_many(per_second, wait, f"principal:{call.principal.id}")


async def _check_shared_rate(call: Call, shared: Quotas, rate: Rate) -> None:
    assert call.principal is not None  # Authenticate comes first
    name = f"principal:{call.principal.id}"
    if wait := await shared.take(name, rate.per_second, rate.burst):
        raise _too_many(rate.per_second, wait, name)


def _too_many(per_second: float, wait: float, quota: str) -> CallError:
    return CallError(
        Reason.RATE_LIMITED,
        f"You make more than {per_second:g} calls a second. Try again in {wait:.3g} s.",
        retry_after=wait,
        quota=quota,
    )


def _check_depth(call: Call, max_depth: int) -> None:
    assert call.session is not None  # Authenticate comes first
    if call.session.depth > max_depth:
        raise CallError(
            Reason.DEPTH_EXCEEDED,
            f"This call is {call.session.depth} calls deep; at most {max_depth} are allowed. "
            "Look for agents that call each other in a circle.",
            quota="session:depth",
        )


async def _take_turn(call: Call, session: OneSession, admission: Admission, now: float) -> None:
    """Counts the call as made in its session, and returns when it is its turn."""
    if session.made >= admission.session_calls:
        raise CallError(
            Reason.CALL_BUDGET_EXCEEDED,
            f"{admission.session_calls} calls were made by services in this session, which is all that one may have. "
            "Look for a loop, or split the work over several sessions.",
            quota="session:calls",
        )
    wait = session.wait(now)
    if wait and (wait > _LONGEST_TURN or call.deadline.expired(now + wait)):
        raise CallError(
            Reason.RATE_LIMITED,
            f"Services make more than {admission.session_rate.per_second:g} calls a second in this session. "
            f"Try again in {wait:.3g} s.",
            retry_after=wait,
            quota="session:rate",
        )
    session.make(now)
    if wait:
        await asyncio.sleep(wait)
