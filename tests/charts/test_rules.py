"""Everything that is rendered passes the rules of tests/charts/policy, asked by the real OPA."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.charts.cases import every
from tests.charts.helpers import ROOT, VERSIONS, Object, ci_values, one, render
from tests.contract.policy.opa_server import find_opa

RULES = ROOT / "tests" / "charts" / "policy"


def denied(cases: list[tuple[str, list[Object]]]) -> dict[str, list[str]]:
    """What the rules find wrong, by case: all are asked at once, as a start of OPA costs more than the answer."""
    query = "{name: wrong | some name, objects in input; wrong := data.firebreak.kubernetes.deny with input as objects}"
    command = [find_opa(), "eval", "--data", str(RULES), "--stdin-input", "--format", "json", query]
    done = subprocess.run(command, input=json.dumps(dict(cases)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    return {name: sorted(wrong) for name, wrong in answer.items() if wrong}


@pytest.mark.parametrize("kube", VERSIONS)
def test_no_rule_is_broken(kube: str):
    assert denied(every(kube)) == {}


@pytest.mark.parametrize(
    ("field", "value"), [("hostNetwork", True), ("automountServiceAccountToken", True), ("containers", [])]
)
def test_a_pod_that_breaks_a_rule_is_found(field: str, value: Any):
    objects = json.loads(json.dumps(render("service", ci_values("service", "calculator"))))
    spec = one(objects, "Deployment")["spec"]["template"]["spec"]
    spec[field] = value or [{"name": "bare", "image": "bare"}]
    assert denied([("broken", objects)])["broken"]
