"""What must hold of the shipped rules for every set of grants and every call."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.policy.bundle import ENTRY_POINT, read_bundle
from gateway.adapters.policy.interpreter import Interpreter
from gateway.adapters.policy.verify import checked
from tests.property import policies
from tests.unit.gateway.adapters.policy.folders import SHIPPED, call

MODULES = read_bundle(SHIPPED).modules


def decide(data: dict[str, Any], *documents: dict[str, Any]) -> list[dict[str, Any]]:
    """The shipped rules' decisions with other data."""
    interpreter = Interpreter()
    asyncio.run(interpreter.load(MODULES, data))
    return [dict(checked(interpreter.evaluate(ENTRY_POINT, document))) for document in documents]


@settings(max_examples=150)
@given(st.lists(policies.names, unique=True), policies.chains, policies.names, st.integers(0, 3))
def test_via_only_narrows(via: list[str], chain: list[str], principal: str, place: int):
    """The same where everybody holds the one grant, which says through whom it may be passed on."""
    data = {
        "roles": {"one": {"principals": policies.PRINCIPALS}},
        "grants": {"tool": {"a": {"roles": ["one"], "actions": ["call"], "via": via}}},
    }
    document = call(*chain)
    short, long = decide(data, document, policies.longer(document, principal, min(place, len(chain))))
    assert short["allow"] or not long["allow"]


def within(inner: dict[str, int], outer: dict[str, int]) -> bool:
    """Whether every limit of `outer` holds in `inner` too."""
    return all(limit in inner and inner[limit] <= value for limit, value in outer.items())


@settings(max_examples=200)
@given(policies.data, policies.calls(), policies.names, st.integers(0, 4))
def test_delegation_only_narrows(data: dict[str, Any], document: dict[str, Any], principal: str, place: int):
    """One principal more on the chain never turns a denial into a permission, nor loosens a limit."""
    short, long = decide(
        data, document, policies.longer(document, principal, min(place, len(document["session"]["chain"])))
    )
    assert short["allow"] or not long["allow"]
    if long["allow"]:
        assert within(long["obligations"], short["obligations"])


def test_random_policies_allow_often_enough_to_prove_something():
    """The properties here say something only about calls that are allowed."""
    seen: list[bool] = []

    @settings(max_examples=100, database=None, derandomize=True)
    @given(policies.data, policies.calls())
    def look(data: dict[str, Any], document: dict[str, Any]) -> None:
        seen.append(decide(data, document)[0]["allow"])

    look()
    assert seen.count(True) >= len(seen) / 10
    assert seen.count(False) >= len(seen) / 10


@settings(max_examples=100)
@given(policies.data, policies.calls())
def test_allowed_only_where_everybody_on_the_chain_holds_a_grant(data: dict[str, Any], document: dict[str, Any]):
    (decision,) = decide(data, document)
    if not decision["allow"]:
        return
    here = data["grants"][document["target"]["name"]]
    for principal in document["session"]["chain"]:
        held = [
            name
            for name, grant in here.items()
            for role in grant["roles"]
            if plays(data["roles"].get(role, {}), principal)
        ]
        assert any(document["call"]["action"] in here[name]["actions"] for name in held)


def plays(role: dict[str, Any], principal: str) -> bool:
    return principal in role.get("principals", []) or any(
        principal.startswith(prefix) for prefix in role.get("prefixes", [])
    )


@settings(max_examples=100)
@given(policies.data, policies.calls())
def test_every_decision_says_why(data: dict[str, Any], document: dict[str, Any]):
    """Each reason names a rule, a denial never falls back on the last resort, and nothing of the arguments is repeated."""
    (decision,) = decide(data, {**document, "args": {**(document["args"] or {}), "x": "hunter2"}})
    assert decision["reasons"]
    for reason in decision["reasons"]:
        assert reason["rule"].startswith("grants")
        assert reason["message"].endswith(".")
    assert "hunter2" not in json.dumps(decision)


@settings(max_examples=60)
@given(policies.data, policies.calls(), st.sampled_from(["argz", "unknown", "Args"]))
def test_a_part_that_is_not_known_takes_the_grant_away(data: dict[str, Any], document: dict[str, Any], part: str):
    spoilt = {
        "roles": data["roles"],
        "grants": {
            target: {name: {**grant, part: 1} for name, grant in several.items()}
            for target, several in data["grants"].items()
        },
    }
    (decision,) = decide(spoilt, document)
    assert decision["allow"] is False
