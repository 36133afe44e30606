"""Policy is in force: a denial explains itself, an edit counts within a second, a broken file changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
import yaml
from firebreak.client import CallFailed, Client

from tests.e2e.instance import ROOT, Instance, wait_for

CALCULATOR = ROOT / "services/calculator"


def denial(client: Client, expression: str = "1 + 1") -> CallFailed | None:
    try:
        client.call("calculator", {"expression": expression})
    except CallFailed as failure:
        assert failure.code == "PERMISSION_DENIED", failure
        return failure
    return None


def without_calculator(instance: Instance) -> str:
    """The shipped grants without those for the calculator; the gateway may still prove it."""
    data = yaml.safe_load((instance.policies / "data/grants.yaml").read_text())
    data["grants"]["calculator"] = {"probe": data["grants"]["calculator"]["probe"]}
    return str(yaml.safe_dump(data))


@pytest.fixture(params=["embedded", "opa"])
def instance(request: pytest.FixtureRequest, start: Callable[..., Instance]) -> Iterator[Instance]:
    if request.param == "embedded":
        yield start([CALCULATOR])
        return
    policy = {"engine": "opa", "path": "policies", "opa": {"url": request.getfixturevalue("opa_url")}}
    yield start([CALCULATOR], policy=policy)


def test_an_edit_counts_within_a_second_and_a_denial_explains_itself(instance: Instance) -> None:
    with instance.client() as client:
        assert denial(client) is None
        file = instance.policies / "data/grants.yaml"
        good, edited_text = file.read_text(), without_calculator(instance)
        edited = time.monotonic()
        file.write_text(edited_text)
        failure = wait_for(lambda: denial(client), 5.0, "the denial")
        assert time.monotonic() - edited < 1.0 + 0.5  # the second that is promised, and the polling of a busy machine
        assert failure.reason == "POLICY_DENIED"
        assert failure.metadata["rule"]
        decision = client.explain(failure.metadata["decision_id"])
        assert not decision.allow
        assert json.loads(decision.input_json)["target"]["name"] == "calculator"
        file.write_text(good)
        wait_for(lambda: denial(client) is None, 5.0, "the grant back in force")


def test_a_broken_file_never_replaces_a_good_one_and_says_why(instance: Instance) -> None:
    with instance.client() as client:
        assert denial(client) is None
        (instance.policies / "firebreak/main/broken.rego").write_text("package firebreak.main\n\nallow if {\n")
        report = wait_for(lambda: json.loads(instance.admin("/status"))["gateway"]["policy"]["error"], 5.0, "the error")
        assert "broken.rego" in report
        assert denial(client) is None
        assert "broken.rego" in instance.cli("status").stdout
        (instance.policies / "firebreak/main/broken.rego").unlink()
        wait_for(
            lambda: not json.loads(instance.admin("/status"))["gateway"]["policy"]["error"], 5.0, "no error any more"
        )


def test_a_denied_call_exits_with_4_and_shows_what_to_do(start: Callable[..., Instance]) -> None:
    instance = start([CALCULATOR])
    (instance.policies / "data/grants.yaml").write_text(without_calculator(instance))
    with instance.client() as client:
        wait_for(lambda: denial(client), 5.0, "the denial")
    done = instance.cli("call", "calculator", '{"expression": "1"}')
    assert done.returncode == 4
    assert "POLICY_DENIED" in done.stderr
    assert "firebreak explain" in done.stderr
    decision = done.stderr.split("firebreak explain ")[1].split()[0]
    explained = instance.cli("explain", decision)
    assert explained.returncode == 0, explained.stderr
    assert explained.stdout.startswith("denied")
