"""Authorize: policy decides, and a permit is the only thing that it hands on."""

from __future__ import annotations

import logging

from gateway.call import Call, Facts, View
from gateway.errors import CallError, Reason
from gateway.judge import Judge
from gateway.policy import Decision, DenyReason, Permit
from gateway.ports import Clock
from gateway.schemas import SchemaError, Schemas
from gateway.service import Filter, Finish, Send, Service
from gateway.targets import Description, State, Target
from gateway.timeouts import pass_on

_log = logging.getLogger(__name__)
_NO_REASON = DenyReason("default", "Nothing in the policy allows this call.")


def authorize(judge: Judge, schemas: Schemas, clock: Clock, *, probes: bool = False) -> Filter:
    """A stage that asks `judge` and puts a permit on the call.

    The stage for `probes` also lets them through to a target that is described but not ready: by them it becomes so.

    Raises CallError POLICY_DENIED or POLICY_UNAVAILABLE. Only for who may call: TARGET_NOT_READY, SCHEMA_CHANGED,
    ARGUMENTS_INVALID, so that a stranger learns nothing of a target. The policy's time limit narrows the deadline.
    """

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            target, view = call.target, call.view
            assert target is not None
            assert view is not None
            decision = await judge.decide(call, target, call.method.action, view)
            _note(call.facts, decision)
            if not decision.allow:
                raise _denied(decision, target)
            _check_arguments(_described(target, probes), target, view, schemas)
            now = clock()
            timeout = decision.obligations.timeout
            until = call.deadline if timeout is None else call.deadline.at_most(now + timeout)
            permitted = call.narrowed(until, permit=Permit(decision))
            call.facts.stages["authorize"] = now - call.facts.started
            return await pass_on(service, call, send, permitted)

        return serve

    return wrap


def _note(facts: Facts, decision: Decision) -> None:
    facts.judged = decision
    facts.decision = decision.id
    facts.revision = decision.revision
    facts.rules = tuple(reason.rule for reason in decision.reasons)


def _denied(decision: Decision, target: Target) -> CallError:
    reason = decision.reasons[0] if decision.reasons else _NO_REASON
    metadata = {"target": target.name, "rule": reason.rule, "decision_id": decision.id, "engine": decision.engine}
    if reason.field:
        metadata["field"] = reason.field
    return CallError(
        Reason.POLICY_DENIED, f"{reason.message} (rule {reason.rule}, decision {decision.id})", metadata=metadata
    )


def _described(target: Target, probes: bool) -> Description:
    """Said at once: a service that cannot answer is not waited for."""
    if target.description is not None and (probes or target.state is State.READY):
        return target.description
    starting = target.state is not State.NOT_READY
    reason = target.reason or ("it is starting" if starting else "it gave no reason")
    raise CallError(
        Reason.TARGET_NOT_READY,
        f'"{target.name}" is not ready: {reason}',
        metadata={"target": target.name, "cause": reason},
        retry_after=1.0 if starting else None,
    )


def _check_arguments(description: Description, target: Target, view: View, schemas: Schemas) -> None:
    if view.expect_schema_sha256 and view.expect_schema_sha256 != description.schema_sha256:
        raise CallError(
            Reason.SCHEMA_CHANGED,
            f'The arguments of "{target.name}" have another schema now. Call Describe, then make the call anew.',
            metadata={"target": target.name, "field": "call.expect_schema_sha256"},
        )
    if view.args is None:
        return
    try:
        violations = schemas.violations(target, view.args, view.injected)
    except SchemaError as error:
        _log.warning("the schema of %s cannot be used: %s", target.name, error)
        raise CallError(
            Reason.CONTRACT_VIOLATED,
            f'"{target.name}" describes its arguments by a schema that is not valid. Tell whoever runs that service.',
            metadata={"target": target.name},
        ) from None
    if violations:
        first = violations[0]
        raise CallError(
            Reason.ARGUMENTS_INVALID,
            f'The arguments do not fit "{target.name}": {first.field} {first.description}.',
            metadata={"target": target.name, "field": first.field},
            fields=violations,
        )
