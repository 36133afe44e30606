"""Bulkhead keeps one target's load from taking everyone's capacity."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from gateway.call import Call
from gateway.config import Limits
from gateway.core.concurrency import ConcurrencyLimit, ConcurrencySnapshot
from gateway.core.deadline import Deadline
from gateway.core.token_bucket import TokenBucket
from gateway.errors import CallError, Reason
from gateway.ports import Clock, Quotas
from gateway.service import Filter, Finish, Send, Service
from gateway.targets import Target
from gateway.time_limit import TimeLimit

_PLACE_COMES_FREE = 0.1
"""Seconds after which a call that found the queue full may try again; when a place comes free is not known."""

_CROWD_GOES = 1.0
"""The same where more calls come than can be served: who tries again sooner makes it last."""

_HEAD_START = 0.005
"""Seconds before the deadline at which waiting ends: Deadline ends the call then, and could not say that nothing was done."""

Places = ConcurrencyLimit[asyncio.Future[bool]]
"""A waiter learns whether it has a place (True) or has to go (False)."""


@dataclass(frozen=True, slots=True)
class Compartment:
    """One target's rate and places."""

    bucket: TokenBucket
    places: Places


class Bulkheads:
    """The compartment of each target; made when it is first asked for, gone with its target."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._compartments: WeakKeyDictionary[Target, Compartment] = WeakKeyDictionary()

    def get(self, target: Target) -> Compartment:
        compartment = self._compartments.get(target)
        if compartment is None:
            compartment = self._compartments[target] = _compartment(target.config.limits, self._clock())
        return compartment

    def snapshots(self) -> Mapping[str, ConcurrencySnapshot]:
        """Calls that run and wait now, by name; the newest target's where several had it."""
        return {target.name: each.places.snapshot() for target, each in self._compartments.items()}


def _compartment(limits: Limits, now: float) -> Compartment:
    bucket = TokenBucket(limits.rate.per_second, limits.rate.burst, now)
    return Compartment(bucket, ConcurrencyLimit(limits.concurrency, limits.queue))


def bulkhead(clock: Clock, bulkheads: Bulkheads | None = None, shared: Quotas | None = None) -> Filter:
    """Rejects with RATE_LIMITED or CONCURRENCY_LIMITED; a call that finds no place waits its turn, at most to its deadline.

    A target's rate is that of this gateway, and behind it the one that all gateways have in common where that is `shared`.
    While more calls come than the target can serve few may wait, and not for long (gateway/core/concurrency.py).
    A place is held until the response stream has ended. A call that is cancelled while it waits leaves nothing behind.
    """
    compartments = bulkheads or Bulkheads(clock)

    def wrap(inner: Service) -> Service:
        async def bounded(call: Call, send: Send) -> Finish:
            assert call.target is not None  # Validate comes first
            compartment = compartments.get(call.target)
            _check_rate(compartment.bucket, call.target, clock())
            if shared is not None:
                await _check_shared_rate(call.target, shared)
            if not compartment.places.enter():
                await _wait(compartment.places, call.target, call.deadline)
            try:
                call.facts.stages["bulkhead"] = clock() - call.facts.started
                return await inner(call, send)
            finally:
                _leave(compartment.places)

        return bounded

    return wrap


def _check_rate(bucket: TokenBucket, target: Target, now: float) -> None:
    if wait := bucket.take(now):
        raise _too_many(target, wait)


async def _check_shared_rate(target: Target, shared: Quotas) -> None:
    rate = target.config.limits.rate
    if wait := await shared.take(f"target:{target.name}", rate.per_second, rate.burst):
        raise _too_many(target, wait)


def _too_many(target: Target, wait: float) -> CallError:
    return CallError(
        Reason.RATE_LIMITED,
        f'"{target.name}" takes {target.config.limits.rate.per_second:g} calls a second. Try again in {wait:.3g} s.',
        metadata={"target": target.name},
        retry_after=wait,
        quota=f"target:{target.name}",
    )


async def _wait(places: Places, target: Target, deadline: Deadline) -> None:
    """Returns when the call has a place; raises CallError CONCURRENCY_LIMITED or DEADLINE_EXCEEDED."""
    place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    if not places.wait(place):
        _send_away(places.surplus())
        raise _full(target, places.crowded)
    try:
        with TimeLimit(deadline.at - _HEAD_START):
            given = await place
    except TimeoutError:
        _abandon(places, place)
        raise _too_late(target) from None
    except asyncio.CancelledError:
        _abandon(places, place)
        raise
    if not given:
        raise _full(target, places.crowded)


def _send_away(waiters: list[asyncio.Future[bool]]) -> None:
    for each in waiters:
        if not each.done():  # else its call has gone, and only has not run since
            each.set_result(False)


def _abandon(places: Places, place: asyncio.Future[bool]) -> None:
    if not place.done() or place.cancelled():
        places.give_up(place)
    elif place.result():
        _leave(places)  # the place was given in the very moment in which the call stopped waiting


def _leave(places: Places) -> None:
    """Passes the place on to the first waiter that is still there."""
    while (place := places.leave()) is not None:
        if not place.done():
            place.set_result(True)
            return


def _full(target: Target, crowded: bool) -> CallError:
    limits = target.config.limits
    waiting = "more come than it can serve" if crowded else f"{limits.queue} wait"
    return CallError(
        Reason.CONCURRENCY_LIMITED,
        f'"{target.name}" serves {limits.concurrency} calls at once and {waiting}. Try again shortly.',
        metadata={"target": target.name},
        retry_after=_CROWD_GOES if crowded else _PLACE_COMES_FREE,
        quota=f"target:{target.name}",
    )


def _too_late(target: Target) -> CallError:
    return CallError(
        Reason.DEADLINE_EXCEEDED,
        f'The deadline passed while the call waited for a place at "{target.name}", which serves '
        f"{target.config.limits.concurrency} at once. Nothing was done. Allow more time, or try again later.",
        metadata={"target": target.name},
    )
