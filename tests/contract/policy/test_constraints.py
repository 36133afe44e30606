"""Every constraint of a grant is in force: one call is allowed, another denied, and without the constraint that one is too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.policy.conftest import Start
from tests.unit.gateway.adapters.policy.folders import call, shipped

ROLES = """
roles:
  people: {principals: [user:ada], prefixes: ["team:core/"]}
  agents: {principals: [service:agent, service:other]}
"""
CHANGES = {"name": "tool", "kind": "tool", "effect": "MUTATING"}

PROMPT = {"messages": 2, "characters": 100, "roles": ["user"], "tools": ["calculator"]}


def field(constraint: dict[str, Any]) -> dict[str, Any]:
    return {"args": {"fields": {"x": constraint}}}


def arg(value: object) -> dict[str, Any]:
    return call("user:ada", args={"x": value})


def prompt(**changes: object) -> dict[str, Any]:
    return call("user:ada", args=None, prompt={**PROMPT, **changes})


CONSTRAINTS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ("effects", {"effects": ["READ"]}, call("user:ada"), call("user:ada") | {"target": CHANGES}, "target.effect"),
    ("via", {"via": ["service:agent"]}, call("user:ada", "service:agent"), call("user:ada", "service:other"), "session.chain"),
    ("via nobody", {"via": []}, call("user:ada"), call("user:ada", "service:agent"), "session.chain"),
    ("required", {"args": {"required": ["x"]}}, arg(None), call("user:ada"), "args.x"),
    ("forbidden", {"args": {"forbidden": ["x"]}}, call("user:ada"), arg(None), "args.x"),
    ("only", {"args": {"only": ["x"]}}, arg(1), call("user:ada", args={"x": 1, "y": 1}), "args"),
    ("given", field({}), arg(1), call("user:ada"), "args.x"),
    ("optional", field({"optional": True, "maximum": 1}), call("user:ada"), arg(2), "args.x"),
    ("type", field({"type": "boolean"}), arg(True), arg("true"), "args.x"),
    ("integer", field({"type": "integer"}), arg(2**53 + 1), arg(0.5), "args.x"),
    ("values", field({"values": ["a", 2]}), arg(2), arg("b"), "args.x"),
    ("minimum", field({"minimum": -1.5}), arg(-1.5), arg(-2), "args.x"),
    ("maximum", field({"maximum": 10}), arg(10), arg(11), "args.x"),
    ("maximum of a text", field({"maximum": 10}), arg(9), arg("9"), "args.x"),
    ("maximum of nothing", field({"maximum": 10}), arg(9), arg(None), "args.x"),
    ("min_length", field({"min_length": 2}), arg("éé"), arg("é"), "args.x"),
    ("max_length", field({"max_length": 2}), arg("𝄞𝄞"), arg("abc"), "args.x"),
    ("max_length of a list", field({"max_length": 1}), arg([1]), arg([1, 2]), "args.x"),
    ("pattern", field({"pattern": "[a-z]+|/docs/.*"}), arg("/docs/x"), arg("/docs"), "args.x"),
    ("pattern as a whole", field({"pattern": "a|b"}), arg("b"), arg("ba"), "args.x"),
    ("pattern to the end", field({"pattern": "(?m)a$"}), arg("a"), arg("a\n"), "args.x"),
    ("forbidden_text", field({"forbidden_text": ["DROP "]}), arg("select"), arg("drop table"), "args.x"),
    ("each", field({"each": {"max_length": 1}}), arg(["a", "b"]), arg(["a", "bc"]), "args.x"),
    ("nested", {"args": {"fields": {"x.b": {"maximum": 1}}}}, arg({"b": 1}), arg({"b": 2}), "args.x.b"),
    ("args of no tool", {"args": {"only": []}}, call("user:ada"), call("user:ada", args=None), "args"),
    ("max_messages", {"prompt": {"max_messages": 2}}, prompt(), prompt(messages=3), "prompt.messages"),
    ("max_characters", {"prompt": {"max_characters": 100}}, prompt(), prompt(characters=101), "prompt.characters"),
    ("roles", {"prompt": {"roles": ["user"]}}, prompt(), prompt(roles=["user", "system"]), "prompt.roles"),
    ("tools", {"prompt": {"tools": ["calculator"]}}, prompt(), prompt(tools=["python"]), "prompt.tools"),
    ("prompt of no agent", {"prompt": {"max_messages": 9}}, prompt(), call("user:ada"), "prompt.messages"),
]  # fmt: skip


def grants(**parts: Any) -> str:
    people = {"roles": ["people"], "actions": ["describe", "call"], **parts}
    return json.dumps({"grants": {"tool": {"given": people, "agents": {"roles": ["agents"], "actions": ["call"]}}}})


@pytest.mark.parametrize(
    ("parts", "good", "bad", "at"), [row[1:] for row in CONSTRAINTS], ids=[row[0] for row in CONSTRAINTS]
)
async def test_in_force(
    start: Start, tmp_path: Path, parts: dict[str, Any], good: dict[str, Any], bad: dict[str, Any], at: str
):
    bound = await start(shipped(tmp_path / "bound", grants(**parts), ROLES))
    assert (await bound.decide(good))["allow"] is True
    denial = await bound.decide(bad)
    assert denial["allow"] is False
    assert ("grants.tool.given", at) in {(reason["rule"], reason["field"]) for reason in denial["reasons"]}
    free = await start(shipped(tmp_path / "free", grants(), ROLES))
    assert (await free.decide(bad))["allow"] is True, "nothing but the constraint denied it"


@pytest.mark.parametrize(
    ("parts", "good", "bad"),
    [
        ({"roles": ["agents"]}, call("service:agent"), call("user:ada")),
        ({"actions": ["describe"]}, call("user:ada", action="describe", args=None), call("user:ada")),
        ({"roles": ["people"]}, call("team:core/x"), call("team:corex")),
    ],
    ids=["roles", "actions", "prefix"],
)
async def test_who_and_what(
    start: Start, tmp_path: Path, parts: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]
):
    policy = await start(shipped(tmp_path, grants(**parts), ROLES))
    assert (await policy.decide(good))["allow"] is True
    assert (await policy.decide(bad))["allow"] is False


async def test_limits_ride_on_the_decision(start: Start, tmp_path: Path):
    policy = await start(shipped(tmp_path, grants(limits={"timeout_ms": 500, "response_bytes": 1024}), ROLES))
    assert (await policy.decide(call("user:ada")))["obligations"] == {"timeout_ms": 500, "response_bytes": 1024}
    assert (await policy.decide(call("service:agent")))["obligations"] == {}
