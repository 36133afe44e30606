"""Validate: what can be judged without knowing the caller's rights, so that nothing malformed reaches policy or a target."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from gateway.call import Call, Exchange, Facts, Metadata, View
from gateway.config import Admission
from gateway.core.deadline import Deadline
from gateway.errors import CallError, FieldViolation, Reason
from gateway.ports import Clock
from gateway.routes import Kind
from gateway.service import Filter, Finish, Send, Service
from gateway.targets import Target, Targets
from gateway.timeouts import pass_on
from gateway.views import read, target_field

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def validate(admission: Admission, targets: Targets, clock: Clock) -> Filter:
    """A stage that sets the call's view and target.

    Raises CallError REQUEST_TOO_LARGE, REQUEST_MALFORMED, ARGUMENTS_INVALID or TARGET_UNKNOWN, each naming the field, and
    METHOD_UNKNOWN for a method of a routed service that is gone. A streamed request is measured as it passes.
    The deadline becomes the target's: its default where the caller set none, its maximum always.
    """

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            # Size before content: what is too large is never parsed.
            _check_size(call, admission.request_bytes, "this gateway")
            routed = call.method.kind is Kind.SERVICE
            view = View(call.method.target) if routed else read(call.method, call.request)
            target = _routed(call, targets) if routed else _target(call, view.target, targets)
            call.facts.target = target.name
            call.facts.resolved = target
            call.facts.described = target.description
            _check_size(call, target.config.limits.request_bytes, f'"{target.name}"')
            if routed:
                view = replace(view, args=_arguments(call, target))
            narrowed = _measured(call.narrowed(_deadline(call, target), view=view, target=target), target, clock)
            call.facts.stages["validate"] = clock() - call.facts.started
            # Counted in the same step as it was looked up: what has no calls when it is replaced never gets one any more.
            target.calls += 1
            try:
                return await pass_on(service, call, send, narrowed)
            finally:
                target.calls -= 1

        return serve

    return wrap


def _check_size(call: Call, limit: int, whose: str) -> None:
    size = len(call.request)
    if size > limit:
        raise _too_large(f"has {size} bytes, more than the {limit} that {whose} takes")


def _too_large(description: str) -> CallError:
    return CallError(
        Reason.REQUEST_TOO_LARGE,
        f"The request {description}. Send less at once.",
        fields=(FieldViolation("request", description),),
    )


def _target(call: Call, name: str, targets: Targets) -> Target:
    field = target_field(call.method)
    if not _NAME.fullmatch(name):
        description = "is not the name of a service: lower-case letters, digits and hyphens"
        raise CallError(
            Reason.REQUEST_MALFORMED,
            f'The field "{field}" {description}.',
            fields=(FieldViolation(field, description),),
        )
    target = targets.get(name)
    if target is None or target.kind is not call.method.kind:
        raise CallError(
            Reason.TARGET_UNKNOWN,
            f'There is no {call.method.kind} "{name}" here. List the catalogue to see what you may call.',
            metadata={"target": name, "field": field},
        )
    return target


def _routed(call: Call, targets: Targets) -> Target:
    """The method was looked up when the call began; by now its service may be gone, or another one may have its name."""
    target = targets.get(call.method.target)
    if target is None or target.routed is None or target.routed.method(call.method.name) != call.method:
        raise CallError(
            Reason.METHOD_UNKNOWN, "The service that had this method has just been changed or taken away. Try again."
        )
    return target


def _arguments(call: Call, target: Target) -> dict[str, Any] | None:
    assert target.routed is not None  # _routed found it
    try:
        return target.routed.arguments(call.method, call.request)
    except ValueError as error:
        raise CallError(
            Reason.REQUEST_MALFORMED,
            f"The request {error}.",
            metadata={"target": target.name},
            fields=(FieldViolation("request", str(error)),),
        ) from None


def _measured(call: Call, target: Target, clock: Clock) -> Call:
    """A call that streams its request is held to the same size, message by message."""
    if call.exchange is None or not call.method.streams_request:
        return call
    return replace(call, exchange=_Measured(call.exchange, call.facts, target, clock))


class _Measured:
    """An exchange that counts the caller's messages and ends the call with REQUEST_TOO_LARGE."""

    def __init__(self, exchange: Exchange, facts: Facts, target: Target, clock: Clock) -> None:
        self._exchange = exchange
        self._facts = facts
        self._target = target
        self._clock = clock

    async def receive(self) -> bytes | None:
        message = await self._exchange.receive()
        if message is None:
            self._facts.asked = self._clock()
            return None
        self._facts.requests += 1
        self._facts.request_bytes += len(message)
        limit = self._target.config.limits.request_bytes
        if self._facts.request_bytes > limit:
            raise _too_large(f'has more than the {limit} bytes that "{self._target.name}" takes')
        return message

    async def header(self, metadata: Metadata) -> None:
        await self._exchange.header(metadata)


def _deadline(call: Call, target: Target) -> Deadline:
    """Counted from the call's start: time spent on the way here is the caller's."""
    limits = target.config.limits
    longest = limits.deadline if call.facts.open_ended else limits.max_deadline
    return call.deadline.at_most(call.facts.started + longest)
