"""Nothing gets past without an allowing decision, and a stranger learns nothing of a target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.call import Call
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Reason
from gateway.filters.authorize import authorize
from gateway.judge import Judge
from gateway.policy import PolicyError
from gateway.schemas import Schemas
from gateway.targets import State, Target
from gateway.views import read
from tests.unit.gateway.chain_fakes import (
    ALLOW,
    SHA,
    START,
    TOOL_CALL,
    TOOL_DESCRIBE,
    Behind,
    FakeEngine,
    Received,
    authenticated,
    call,
    clock,
    description,
    hangs,
    run,
    target,
    tool_request,
)

DENY = {
    "allow": False,
    "reasons": [{"rule": "grants.args", "message": "The expression is too long.", "field": "args.expression"}],
    "obligations": {},
}


def validated(to: Target | None = None, method: Any = TOOL_CALL, deadline: float = START + 60, **fields: Any) -> Call:
    request = tool_request(**fields)
    made = authenticated(call(method, request, Deadline(deadline)))
    return replace(made, target=to or target(), view=read(TOOL_CALL, request))


def attempt(answer: Any, made: Call) -> tuple[Behind, FakeEngine, CallError | None]:
    async def main() -> tuple[Behind, FakeEngine, CallError | None]:
        behind, engine = Behind(), FakeEngine(answer)
        stage = authorize(Judge(engine, 0.25, lambda: "d" * 32), Schemas(), clock)
        try:
            await stage(behind)(made, Received().send)
        except CallError as error:
            assert behind.calls == [], "a rejected call went on"
            return behind, engine, error
        return behind, engine, None

    return run(main)


def refused(answer: Any, made: Call) -> CallError:
    error = attempt(answer, made)[2]
    assert error is not None
    return error


def test_an_allowed_call_goes_on_with_a_permit() -> None:
    made = validated()
    behind, engine, _ = attempt(ALLOW, made)
    permit = behind.calls[0].permit
    assert permit is not None
    assert permit.decision.id == "d" * 32 == made.facts.decision
    assert (made.facts.revision, made.facts.rules) == ("r" * 64, ("grants[0]",))
    assert "authorize" in made.facts.stages
    assert engine.documents[0]["args"] == {"expression": "1234 * 5678"}
    assert behind.calls[0].deadline == made.deadline


def test_a_denial_says_rule_field_and_decision() -> None:
    made = validated()
    error = refused(DENY, made)
    assert error.reason is Reason.POLICY_DENIED
    assert error.metadata == {
        "target": "calculator",
        "rule": "grants.args",
        "field": "args.expression",
        "decision_id": "d" * 32,
        "engine": "fake",
    }
    assert error.message == f"The expression is too long. (rule grants.args, decision {'d' * 32})"
    assert made.facts.rules == ("grants.args",)


def test_a_denial_without_a_reason_is_a_denial() -> None:
    error = refused({"allow": False, "reasons": [], "obligations": {}}, validated())
    assert (error.reason, error.metadata["rule"]) == (Reason.POLICY_DENIED, "default")
    assert "field" not in error.metadata


@pytest.mark.parametrize(
    "answer", [PolicyError("down"), None, {}, {"allow": "yes"}, {**ALLOW, "obligations": {"x": 1}}]
)
def test_without_a_usable_answer_nobody_gets_on(answer: Any) -> None:
    assert refused(answer, validated()).reason is Reason.POLICY_UNAVAILABLE


def test_the_callers_deadline_is_shorter_than_the_policys_time() -> None:
    async def main() -> None:
        # The outer deadline stage is what enforces the call's deadline, so here policy's own limit ends the wait.
        made = validated(deadline=START + 0.1)
        with pytest.raises(CallError) as caught:
            await authorize(Judge(FakeEngine(None), 0.25, lambda: "d"), Schemas(), clock)(Behind())(
                made, Received().send
            )
        assert caught.value.reason is Reason.POLICY_UNAVAILABLE

    run(main)


@pytest.mark.parametrize(
    ("state", "reason", "said", "retry_after"),
    [
        (State.STARTING, "", "it is starting", 1.0),
        (State.NOT_READY, "ImportError: no such name", "ImportError: no such name", None),
        (State.NOT_READY, "", "it gave no reason", None),
    ],
)
def test_a_target_that_is_not_ready_is_said_at_once(
    state: State, reason: str, said: str, retry_after: float | None
) -> None:
    error = refused(ALLOW, validated(replace(target(), state=state, reason=reason)))
    assert error.reason is Reason.TARGET_NOT_READY
    assert said in error.message
    assert error.metadata == {"target": "calculator", "cause": said}
    assert error.retry_after == retry_after


@pytest.mark.parametrize(
    "hidden",
    [
        validated(replace(target(), state=State.NOT_READY, reason="broken")),
        validated(expect_schema_sha256="b" * 64),
        validated(args=b'{"other": 1}'),
    ],
)
def test_who_may_not_call_learns_only_that(hidden: Call) -> None:
    assert refused(DENY, hidden).reason is Reason.POLICY_DENIED


def test_arguments_are_held_to_the_schema() -> None:
    error = refused(ALLOW, validated(args=b'{"expression": 5, "other": "SECRET"}'))
    assert error.reason is Reason.ARGUMENTS_INVALID
    assert {violation.field for violation in error.fields} == {"args.expression", "args.other"}
    assert error.metadata["field"] == error.fields[0].field
    assert "SECRET" not in error.message + str(error.fields)


def test_injected_arguments_must_not_replace_what_policy_saw() -> None:
    error = refused(ALLOW, validated(injected_json=b'{"expression": "rm -rf"}'))
    assert error.reason is Reason.ARGUMENTS_INVALID
    assert error.fields[0].field == "call.injected_json.expression"


def test_a_changed_schema_is_noticed_only_where_one_is_expected() -> None:
    error = refused(ALLOW, validated(expect_schema_sha256="b" * 64))
    assert error.reason is Reason.SCHEMA_CHANGED
    assert attempt(ALLOW, validated(expect_schema_sha256=SHA))[2] is None


def test_a_schema_that_cannot_be_used_is_the_services_fault() -> None:
    broken = replace(target(), description=description({"type": "nonsense"}))
    error = refused(ALLOW, validated(broken))
    assert error.reason is Reason.CONTRACT_VIOLATED
    assert error.metadata == {"target": "calculator"}


def test_describe_needs_no_arguments() -> None:
    made = replace(validated(method=TOOL_DESCRIBE), view=replace(read(TOOL_CALL, tool_request()), args=None))
    behind, engine, _ = attempt(ALLOW, made)
    assert len(behind.calls) == 1
    assert (engine.documents[0]["call"]["action"], engine.documents[0]["args"]) == ("describe", None)


def test_a_time_limit_of_policy_narrows_the_deadline_and_is_enforced() -> None:
    limited = {**ALLOW, "obligations": {"timeout_ms": 1500}}
    assert attempt(limited, validated())[0].calls[0].deadline.at == pytest.approx(START + 1.5)
    assert attempt(limited, validated(deadline=START + 1))[0].calls[0].deadline.at == START + 1

    async def main() -> None:
        stage = authorize(Judge(FakeEngine(limited), 0.25, lambda: "d" * 32), Schemas(), clock)
        with pytest.raises(CallError) as caught:
            await stage(hangs)(validated(), Received().send)
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        assert clock() == pytest.approx(START + 1.5, abs=0.01)

    run(main)
