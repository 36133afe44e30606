"""Drafts: what a row says of a call, in which part, and that nothing a stranger sends keeps a call off the record."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
import pytest

from gateway.adapters.journal.contents.decode import read_person
from gateway.adapters.journal.rows import OPENED, SALT, Chain, read_header
from gateway.call import Peer
from gateway.errors import CallError, Code, Reason
from gateway.policy import Decision, DenyReason, Obligations
from gateway.routes import Action, Method
from tests.unit.gateway.adapters.journal.recorded_calls import (
    WALL,
    answer,
    answered_call,
    drafter,
    ended,
    entropy,
    known_call,
    request,
    unknown_call,
)

PERSONAL = ("ada", "service:assistant", "192.0.2.1", "users.test", "services.test", "calculate.", "1+1")


def test_a_calls_draft_says_what_is_known_of_it() -> None:
    draft, apart = drafter().draft(ended(answered_call()))
    assert (draft.kind, draft.at, apart) == ("call", int(WALL * 1e6), [])
    assert (draft.call, draft.parent, draft.session) == ("0" * 32, "2" * 32, "1" * 32)
    assert (draft.target, draft.method) == ("calculator", "/firebreak.v1.ToolService/Call")
    assert (draft.outcome, draft.reason, draft.decision) == ("OK", "", "d" * 32)
    assert draft.facts == {
        "action": "call",
        "kind": "tool",
        "depth": 1,
        "listener": "local",
        "started": int(WALL * 1e6) - 5000,
        "ms": 5.0,
        "first_event_ms": 4.0,
        "events": 1,
        "request_bytes": len(request()),
        "response_bytes": len(answer()),
        "attempts": [
            {"us": 1000, "code": "UNAVAILABLE", "reason": "TARGET_UNAVAILABLE"},
            {"us": 3000, "code": "OK"},
        ],
        "stages_us": {"validate": 250},
        "trace": "a1" * 16,
        "target": {
            "version": "1.2.3",
            "framework": "langchain",
            "framework_version": "1.4.7",
            "core_version": "1.7.2",
            "python": "3.11.7",
            "schema_sha256": "a" * 64,
        },
        "decision": {
            "allow": True,
            "rules": ["grants.tools"],
            "revision": "f" * 64,
            "engine": "embedded",
            "obligations": {"timeout_ms": 2500, "response_bytes": 4096},
        },
    }


def test_how_a_call_failed_is_in_its_columns_and_a_bugs_correlation_id_in_its_facts() -> None:
    call = answered_call()
    call.facts.correlation = call.id
    draft, _ = drafter().draft(ended(call, code=Code.INTERNAL, reason="INTERNAL"))
    assert (draft.outcome, draft.reason, draft.facts["correlation"]) == ("INTERNAL", "INTERNAL", call.id)


def test_a_call_that_was_let_through_has_no_outcome_and_no_duration_yet() -> None:
    call = answered_call()
    draft, _ = drafter().draft(ended(call, kind=OPENED))
    assert (draft.kind, draft.outcome, draft.reason) == ("opened", "", "")
    assert "ms" not in draft.facts
    assert draft.facts["started"] == int(WALL * 1e6) - 5000


def test_the_header_names_no_person_and_nothing_of_what_was_said() -> None:
    draft, _ = drafter().draft(ended(answered_call()))
    header = Chain("w").seal(draft).header
    assert [word for word in PERSONAL if word in header.lower()] == []


def test_who_it_was_and_what_policy_saw_are_in_the_person_part() -> None:
    call = replace(answered_call(), peer=Peer("ipv4:192.0.2.1:1", ("spiffe://firebreak.local/service/assistant",)))
    draft, _ = drafter().draft(ended(call))
    assert (draft.principal, draft.origin) == ("service:assistant", "user:ada")
    assert draft.person is not None
    assert draft.person[:SALT] == entropy(SALT)
    assert call.facts.document is not None
    assert read_person(draft.person) == {
        "principal": "service:assistant",
        "issuer": "https://services.test",
        "chain": ["user:ada", "service:assistant"],
        "peer": "ipv4:192.0.2.1:1",
        "uris": ["spiffe://firebreak.local/service/assistant"],
        "reasons": [{"rule": "grants.tools", "message": "Ada may calculate.", "field": ""}],
        "input": json.loads(orjson.dumps({**call.facts.document, "args": None})),
    }


def test_the_same_input_is_the_same_bytes_whatever_the_order_of_its_names() -> None:
    call, other = answered_call(), answered_call()
    assert other.facts.document is not None
    other.facts.document = dict(reversed(list(other.facts.document.items())))
    assert drafter().draft(ended(call))[0].person == drafter().draft(ended(other))[0].person


def test_of_a_stranger_the_address_is_all_that_is_known() -> None:
    draft, _ = drafter().draft(ended(unknown_call(), code=Code.UNAUTHENTICATED, reason="CREDENTIALS_MISSING"))
    assert (draft.principal, draft.origin) == ("", "")
    assert draft.person is not None
    assert read_person(draft.person) == {"peer": "ipv4:192.0.2.1:40000"}


def test_there_is_no_person_part_where_nothing_is_known() -> None:
    draft, _ = drafter().draft(ended(replace(unknown_call(), peer=Peer())))
    assert (draft.principal, draft.origin, draft.person) == (None, None, None)


def test_a_denial_is_on_record_with_its_rule_and_its_words_apart() -> None:
    call = answered_call()
    call.facts.judged = Decision(
        "d", False, (DenyReason("grants.args", "Not 1+1.", "args"),), Obligations(), "f", "opa"
    )
    call.facts.rules = ("grants.args",)
    draft, _ = drafter().draft(ended(call, CallError(Reason.POLICY_DENIED, "Not 1+1."), code=Code.PERMISSION_DENIED))
    assert draft.facts["decision"] == {"allow": False, "rules": ["grants.args"], "revision": "f", "engine": "opa"}
    assert draft.person is not None
    assert read_person(draft.person)["reasons"] == [{"rule": "grants.args", "message": "Not 1+1.", "field": "args"}]


@pytest.mark.parametrize("header", ["", "00-zz", f"00-{'0' * 32}-{'b2' * 8}-01", f"ff-{'a1' * 16}-{'b2' * 8}-01"])
def test_a_malformed_trace_is_left_out(header: str) -> None:
    call = replace(answered_call(), metadata=(("traceparent", header),))
    assert "trace" not in drafter().draft(ended(call))[0].facts


def test_a_strangers_method_is_short_and_printable() -> None:
    for name, kept in (("/x" * 100, "/x" * 100), ("/x" * 100 + "y", "/x" * 100), ("/a\x00\ud800\nb", "/a???b")):
        call = replace(unknown_call(), method=Method(name, None, Action.GATEWAY))
        draft, _ = drafter().draft(ended(call, code=Code.UNIMPLEMENTED, reason="METHOD_UNKNOWN"))
        assert draft.method == kept
        assert draft.facts["action"] == "gateway"
        assert "kind" not in draft.facts


@pytest.mark.parametrize("claim", [2**70, -(2**70), "\ud800", "\x00", {"a": [None, True, 1.5]}, [[]] * 3], ids=ascii)
def test_no_claim_keeps_a_call_off_the_record(claim: object) -> None:
    call = answered_call()
    assert call.facts.document is not None
    call.facts.document = {**call.facts.document, "principal": {"claims": {"odd": claim}}}
    draft, _ = drafter().draft(ended(call))
    assert draft.person is not None
    assert read_person(draft.person)["input"]["principal"]["claims"] == {"odd": claim}
    Chain("w").seal(draft)


def test_a_claim_that_cannot_be_written_costs_only_what_policy_saw() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    call = answered_call()
    assert call.facts.document is not None
    call.facts.document = {**call.facts.document, "principal": {"claims": {"odd": nested}}}
    draft, _ = drafter().draft(ended(call))
    assert draft.person is not None
    assert read_person(draft.person)["input"] is None
    assert read_person(draft.person)["principal"] == "service:assistant"


def test_names_that_a_database_cannot_keep_are_made_so_that_it_can() -> None:
    call = known_call(request())
    call.facts.principal, call.facts.chain = "user:\x00\ud800", ("user:\ud800",)
    draft, _ = drafter().draft(ended(call))
    assert (draft.principal, draft.origin) == ("user:??", "user:?")
    assert read_header(Chain("w").seal(draft).header).person_digest


def test_what_the_service_says_of_itself_is_made_printable() -> None:
    call = answered_call()
    assert call.facts.described is not None
    call.facts.described = replace(call.facts.described, version="1\x00\n", framework="")
    target = drafter().draft(ended(call))[0].facts["target"]
    assert target["version"] == "1??"
    assert "framework" not in target
