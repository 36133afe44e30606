"""The policy that Firebreak ships decides the same on both engines, and OPA's own tools have nothing to say against it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from gateway.config import PROBE, STRANGER, ServiceConfig
from tests.contract.policy.conftest import Start
from tests.unit.gateway.adapters.policy.folders import SHIPPED, call

ADA = "user:developer"
CERTIFICATE = "spiffe://firebreak.local/user/developer"
AGENT = "service:assistant"
CLASSIC = "service:assistant-classic"
SHORT = {"code": "print(1)"}
LONG = {"code": "x" * 4001}

ALLOWED = [
    call(ADA, target="assistant", args=None),
    call(CERTIFICATE, target="assistant-classic", args=None),
    call(ADA, target="calculator", args={"expression": "1 + 1"}),
    call(ADA, AGENT, target="calculator", args={"expression": "1 + 1"}),
    call(CERTIFICATE, CLASSIC, target="handbook", args={"query": "refunds"}),
    call(ADA, AGENT, target="router", args=None),
    call(ADA, target="python", args=SHORT),
    call(ADA, AGENT, target="python", args={"code": "x" * 4000}),
    call(AGENT, target="python", action="describe", args=None),
    call(ADA, target="router", action="describe", args=None),
    call(ADA, AGENT, target="sql", args={"query": "SELECT 1"}),
    call(ADA, target="web-fetch", args={"url": "https://docs.python.org/"}),
    call(PROBE, target="calculator", args={"expression": "6 * 7"}),
    call(PROBE, target="assistant", action="describe", args=None),
]
DENIED = [
    (call("user:eve", target="calculator"), "grants", "principal.id"),
    (call("service:calculator", target="handbook"), "grants", "principal.id"),
    (call("user:eve", AGENT, target="calculator"), "grants", "session.chain"),
    (call(ADA, AGENT, target="assistant"), "grants", "principal.id"),
    (call(ADA, AGENT, CLASSIC, target="assistant-classic"), "grants", "principal.id"),
    (call(ADA, target="nothing"), "grants", "principal.id"),
    (call(ADA, AGENT, target="web-fetch", args={"url": "https://docs.python.org/"}), "grants", "principal.id"),
    (call(ADA, target="python", args=LONG), "grants.python.developer", "args.code"),
    (call(ADA, AGENT, target="python", args=LONG), "grants.python.agents", "args.code"),
    (call(ADA, target="python", args={}), "grants.python.developer", "args.code"),
    (call(ADA, target="python", args=None), "grants.python.developer", "args"),
    (call(ADA, target="calculator", action="gateway"), "grants.calculator.developer", "call.action"),
    ({}, "document", ""),
    (call("", target="calculator"), "grants", "principal.id"),
    (call(STRANGER, target="calculator", args={"expression": "6 * 7"}), "grants", "principal.id"),
    (call(PROBE, target="calculator", args={"expression": "6 * 8"}), "grants.calculator.probe", "args.expression"),
    (call(PROBE, target="python", args={"code": "print(6 * 7)", "x": 1}), "grants.python.probe", "args"),
    (call(PROBE, target="calculator", action="describe", args=None), "grants.calculator.probe", "call.action"),
    (call(PROBE, target="assistant"), "grants.assistant.probe", "call.action"),
    (call("service:web-fetch", target="sql", args={"query": "SELECT 1"}), "grants", "principal.id"),
]

SERVICE_FILES = sorted((SHIPPED.parent / "services").glob("*/service.yaml"))


async def test_allowed(start: Start):
    policy = await start(SHIPPED)
    for document in ALLOWED:
        decision = await policy.decide(document)
        assert decision["allow"] is True, document
        assert len(decision["reasons"]) == len(document["session"]["chain"])
        assert all(reason["rule"].startswith(f"grants.{document['target']['name']}.") for reason in decision["reasons"])


async def test_denied_with_a_reason(start: Start):
    policy = await start(SHIPPED)
    for document, rule, field in DENIED:
        decision = await policy.decide(document)
        assert decision["allow"] is False, document
        assert decision["obligations"] == {}
        assert (rule, field) in {(reason["rule"], reason.get("field", "")) for reason in decision["reasons"]}, document


@pytest.mark.parametrize(
    "file", sorted((SHIPPED.parent / "services").glob("*/service.yaml")), ids=lambda file: file.parent.name
)
async def test_every_shipped_probe_is_decided_as_it_says(start: Start, file: Path):
    policy = await start(SHIPPED)
    config = ServiceConfig.model_validate(yaml.safe_load(file.read_text()))
    assert config.probes.allow
    assert config.probes.deny
    for allowed, probes in ((True, config.probes.allow), (False, config.probes.deny)):
        for probe in probes:
            document = call(probe.as_, target=config.name, action=probe.action, args=probe.args)
            document["target"]["kind"] = config.kind.value
            if probe.prompt is not None:
                document["prompt"] = {"messages": 1, "characters": len(probe.prompt), "roles": ["user"], "tools": []}
            assert (await policy.decide(document))["allow"] is allowed, probe.name


async def test_a_denial_tells_a_person_what_to_do(start: Start):
    policy = await start(SHIPPED)
    decision = await policy.decide(call(ADA, target="python", args=LONG))
    assert decision["reasons"] == [
        {
            "rule": "grants.python.developer",
            "field": "args.code",
            "message": "user:developer may call python only under this condition: args.code must be a text or a list "
            "with a length of at most 4000.",
        }
    ]
    decision = await policy.decide(call("user:eve", target="python", args=SHORT))
    assert decision["reasons"] == [
        {
            "rule": "grants",
            "field": "principal.id",
            "message": "user:eve holds no grant for python: a grant there must name a role of that principal "
            "and the action call.",
        }
    ]


@pytest.mark.parametrize("document", ALLOWED)
def test_the_inputs_here_are_what_the_schema_says(document: dict[str, Any]):
    jsonschema_rs.validate(json.loads((SHIPPED / "schemas/input.json").read_text()), document)


@pytest.mark.parametrize(
    "command",
    [
        ("test", "--fail-on-empty", "policies/firebreak", "policies/data"),
        ("check", "--strict", "--schema", "policies/schemas", "policies/firebreak"),
        ("fmt", "--fail", "--list", "policies/firebreak"),
    ],
    ids=lambda command: command[0],
)
def test_opas_own_tools(opa: str, command: tuple[str, ...]):
    result = subprocess.run([opa, *command], cwd=SHIPPED.parent, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_opa_reads_the_data_as_the_gateway_does(opa: str):
    from gateway.adapters.policy.bundle import read_bundle

    command = [opa, "eval", "--data", "policies/data", "--format", "values", "data"]
    result = subprocess.run(command, cwd=SHIPPED.parent, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)[0] == read_bundle(Path(SHIPPED)).data
