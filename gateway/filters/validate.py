"""Validate: what can be judged without knowing the caller's rights, so that nothing malformed reaches policy or a target."""

from __future__ import annotations

import re

from gateway.call import Call
from gateway.config import Admission
from gateway.core.deadline import Deadline
from gateway.errors import CallError, FieldViolation, Reason
from gateway.ports import Clock
from gateway.service import Filter, Finish, Send, Service
from gateway.targets import Target, Targets
from gateway.timeouts import pass_on
from gateway.views import read, target_field

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def validate(admission: Admission, targets: Targets, clock: Clock) -> Filter:
    """A stage that sets the call's view and target.

    Raises CallError REQUEST_TOO_LARGE, REQUEST_MALFORMED, ARGUMENTS_INVALID or TARGET_UNKNOWN, each naming the field.
    The deadline becomes the target's: its default where the caller set none, its maximum always.
    """

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            # Size before content: what is too large is never parsed.
            _check_size(call, admission.request_bytes, "this gateway")
            view = read(call.method, call.request)
            target = _target(call, view.target, targets)
            call.facts.target = target.name
            call.facts.resolved = target
            call.facts.described = target.description
            _check_size(call, target.config.limits.request_bytes, f'"{target.name}"')
            narrowed = call.narrowed(_deadline(call, target), view=view, target=target)
            call.facts.stages["validate"] = clock() - call.facts.started
            return await pass_on(service, call, send, narrowed)

        return serve

    return wrap


def _check_size(call: Call, limit: int, whose: str) -> None:
    size = len(call.request)
    if size > limit:
        description = f"has {size} bytes, more than the {limit} that {whose} takes"
        raise CallError(
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


def _deadline(call: Call, target: Target) -> Deadline:
    """Counted from the call's start: time spent on the way here is the caller's."""
    limits = target.config.limits
    longest = limits.deadline if call.facts.open_ended else limits.max_deadline
    return call.deadline.at_most(call.facts.started + longest)
