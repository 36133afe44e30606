"""What policy is asked, and that nothing but a complete decision is taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import verdict
from gateway.call import Principal, Session, View
from gateway.policy import DenyReason, Obligations, PolicyError
from gateway.routes import Action
from tests.unit.gateway.chain_fakes import ALLOW, authenticated, call, target


def read(raw: Any) -> Any:
    return verdict.read(raw, "d1", "rev", "fake")


def test_the_input_document_is_complete() -> None:
    principal = Principal("service:assistant", "services", "assistant", {"team": "a"})
    session = Session("s1", ("user:developer", "service:assistant"), parent="c0", depth=1)
    made = authenticated(call(), principal, session)
    assert verdict.document(made, target(), Action.CALL, View("calculator", args={"expression": "1"})) == {
        "call": {
            "id": made.id,
            "method": "/firebreak.v1.ToolService/Call",
            "action": "call",
            "depth": 1,
            "parent": "c0",
        },
        "principal": {
            "id": "service:assistant",
            "issuer": "services",
            "service": "assistant",
            "claims": {"team": "a"},
        },
        "session": {"id": "s1", "chain": ["user:developer", "service:assistant"]},
        "target": {"name": "calculator", "kind": "tool", "effect": "READ"},
        "args": {"expression": "1"},
        "prompt": None,
    }


def test_a_question_without_a_view_has_neither_args_nor_prompt() -> None:
    asked = verdict.document(authenticated(call()), target("assistant", "agent"), Action.DESCRIBE, None)
    assert (asked["args"], asked["prompt"], asked["target"]["effect"]) == (None, None, "MUTATING")


def test_a_whole_decision_is_read() -> None:
    raw = {
        "allow": False,
        "reasons": [{"rule": "grants.args", "message": "too long", "field": "args.code"}, {"rule": "r", "message": ""}],
        "obligations": {"timeout_ms": 1500, "response_bytes": 10},
    }
    decision = read(raw)
    assert (decision.id, decision.allow, decision.revision, decision.engine) == ("d1", False, "rev", "fake")
    assert decision.reasons == (DenyReason("grants.args", "too long", "args.code"), DenyReason("r", ""))
    assert decision.obligations == Obligations(timeout=1.5, response_bytes=10)
    assert read(ALLOW).obligations == Obligations()


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        [],
        True,
        "allow",
        {"allow": True},
        {**ALLOW, "more": 1},
        {**ALLOW, "allow": 1},
        {**ALLOW, "allow": "true"},
        {**ALLOW, "allow": None},
        {**ALLOW, "reasons": None},
        {**ALLOW, "reasons": "because"},
        {**ALLOW, "reasons": ["because"]},
        {**ALLOW, "reasons": [{"rule": "r"}]},
        {**ALLOW, "reasons": [{"rule": 1, "message": "m"}]},
        {**ALLOW, "reasons": [{"rule": "r", "message": "m", "field": None}]},
        {**ALLOW, "reasons": [{"rule": "r", "message": "m", "extra": ""}]},
        {**ALLOW, "obligations": None},
        {**ALLOW, "obligations": []},
        {**ALLOW, "obligations": {"mask": ["x"]}},
        {**ALLOW, "obligations": {"timeout_ms": 0}},
        {**ALLOW, "obligations": {"timeout_ms": -1}},
        {**ALLOW, "obligations": {"timeout_ms": True}},
        {**ALLOW, "obligations": {"timeout_ms": 1.5}},
        {**ALLOW, "obligations": {"response_bytes": "10"}},
        {**ALLOW, "obligations": {"response_bytes": None}},
    ],
)
def test_what_is_no_decision_is_a_policy_error(raw: Any) -> None:
    with pytest.raises(PolicyError):
        read(raw)
