"""A call of anything but a tested built-in is refused before the policy runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.adapters.policy.built_ins import untested_calls
from gateway.adapters.policy.bundle import read_bundle
from tests.unit.gateway.adapters.policy.folders import SHIPPED, small


def problems(root: Path, rule: str, **more: str) -> list[str]:
    changes: dict[str, str | None] = {"firebreak/main/x.rego": f"package firebreak.main\n\n{rule}\n"}
    changes.update({f"firebreak/{name}/y.rego": text for name, text in more.items()})
    return [str(problem) for problem in untested_calls(read_bundle(small(root, changes)))]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ('http.send({"method": "get"})', "http.send"),
        ("opa.runtime()", "opa.runtime"),
        ('io.jwt.decode("x")', "io.jwt.decode"),
        ("rand.intn(1, 2)", "rand.intn"),
        ("json.match_schema({}, {})", "json.match_schema"),
        ("nosuch(1)", "nosuch"),
        ("data.firebreak.main.nosuch(1)", "data.firebreak.main.nosuch"),
        ("data.elsewhere.f(1)", "data.elsewhere.f"),
        ("{y | y := count([http.send({})])}", "http.send"),
    ],
)
def test_refused_with_file_and_line(tmp_path: Path, call: str, name: str):
    found = problems(tmp_path, f"x := {call}")
    assert len(found) == 1
    assert found[0].startswith(f"firebreak/main/x.rego:3: {name} is neither")


def test_functions_of_the_policy_itself_are_taken(tmp_path: Path):
    rule = "import data.firebreak.other\n\nf(x) := x\n\nx := [f(1), data.firebreak.main.f(1), other.g(1), count([])]"
    assert problems(tmp_path, rule, other="package firebreak.other\n\ng(x) := x\n") == []


def test_the_shipped_policy_calls_nothing_else():
    assert untested_calls(read_bundle(SHIPPED)) == []
