"""Nothing is configured but not in force: what a policy edit, a lost grant or a missing wall breaks is found, and said."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.instance import ROOT, Instance, wait_for

CALCULATOR = ROOT / "services/calculator"
ALLOW_ALL = """\
package firebreak.main

default allowed := false

# Anybody but the one that the gateway asks about itself.
allowed if input.principal.id != "nobody"

decision := {"allow": allowed, "reasons": [{"rule": "everybody", "message": "Everybody may."}], "obligations": {}}
"""

A_TEST = """\
package firebreak.main_test

import data.firebreak.main

test_nobody if not main.decision.allow with input as {"principal": {"id": "nobody"}}
"""


def doctor(instance: Instance, *words: str) -> tuple[int, dict[str, Any]]:
    done = instance.cli("doctor", "--json", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def verdicts(service: dict[str, Any]) -> dict[str, str]:
    return {finding["name"]: finding["verdict"] for finding in service["findings"]}


def ready(instance: Instance, name: str = "calculator") -> None:
    wait_for(lambda: instance.service(name)["state"] == "ready", 10, f"{name} is ready")


@pytest.fixture
def calculator(start: Callable[..., Instance]) -> Instance:
    return start([CALCULATOR])


def test_everything_that_is_shipped_is_proven(shipped: Instance) -> None:
    for name in [service["name"] for service in json.loads(shipped.admin("/status"))["services"]]:
        ready(shipped, name)
    code, found = doctor(shipped)
    assert (code, found["well"]) == (0, True), found
    assert set(verdicts(found["gateway"]).values()) == {"held"}
    for service in found["services"]:
        held = verdicts(service)
        assert held.pop("deny:stranger") == "held"
        assert {held[name] for name in held if name.startswith("allow:")} == {"held"}, service
        assert {held[name] for name in held if name.startswith("deny:")} == {"held"}, service
        assert service["notes"] == []
        assert "broken" not in held.values()
    shown = shipped.cli("doctor").stdout
    assert "all is well" in shown
    assert max(map(len, shown.splitlines())) <= 200
    assert shipped.metric("firebreak_promises_broken") == 0


def test_probes_are_no_calls(calculator: Instance) -> None:
    assert (
        calculator.metric("firebreak_probes_total", target="calculator", probe="allow:multiplies", verdict="held") >= 1
    )
    assert calculator.service("calculator")["calls"] == 0
    assert calculator.metric("firebreak_calls_total") == 0
    assert calculator.metric("firebreak_policy_decisions_total") == 0
    assert "6 * 7" not in calculator.cli("journal", "tail", "--json").stdout
    with calculator.client() as client:
        assert client.call("calculator", {"expression": "1 + 1"}).text == "2"
    assert calculator.service("calculator")["calls"] == 1


def test_a_policy_that_allows_everything_leaves_no_service_ready(calculator: Instance) -> None:
    rules = calculator.policies / "firebreak/main"
    kept = {file: file.read_text() for file in rules.glob("*.rego")}
    for file in kept:
        file.unlink()
    (rules / "decision.rego").write_text(ALLOW_ALL)
    (rules / "decision_test.rego").write_text(A_TEST)
    edited = time.monotonic()
    wait_for(lambda: calculator.service("calculator")["state"] == "not_ready", 5, "the deny probes fail")
    assert time.monotonic() - edited < 2.0 + 0.5  # what is promised, and the polling of a busy machine
    code, found = doctor(calculator)
    assert code == 1
    (service,) = found["services"]
    broken = {each["name"]: each["detail"] for each in service["findings"] if each["verdict"] == "broken"}
    assert set(broken) == {"deny:stranger", "deny:another-tool"}
    assert "policy allows firebreak:stranger to describe it, by everybody" in broken["deny:stranger"]
    assert calculator.metric("firebreak_promises_broken", target="calculator") == 2
    assert "promises: 2 broken, see `firebreak doctor`" in calculator.cli("status").stdout
    failed = calculator.cli("call", "calculator", '{"expression": "1"}')
    assert "TARGET_NOT_READY" in failed.stderr
    (rules / "decision_test.rego").unlink()
    for file, text in kept.items():
        file.write_text(text)
    ready(calculator)
    assert doctor(calculator)[0] == 0


def test_a_grant_that_its_probe_needs_and_loses_is_named(calculator: Instance) -> None:
    file = calculator.policies / "data/grants.yaml"
    good = file.read_text()
    data = yaml.safe_load(good)
    del data["grants"]["calculator"]["probe"]
    file.write_text(yaml.safe_dump(data))
    wait_for(lambda: calculator.service("calculator")["state"] == "not_ready", 5, "the allow probe fails")
    done = calculator.cli("doctor", "calculator")
    assert done.returncode == 1
    shown = " ".join(done.stdout.split())
    assert "BROKEN" in shown
    assert "allow:multiplies" in shown
    assert "policy denies it to firebreak:probe" in shown
    assert "Grant it in policy, or change the probe" in shown
    file.write_text(good)
    ready(calculator)


@pytest.fixture
def pretender(calculator: Instance) -> Iterator[Path]:
    """A second host of the calculator, without a sandbox, that claims to have no network; the socket that it serves on."""
    folder = calculator.folder / "pretender"
    folder.mkdir()
    token = folder / "token"
    token.write_text("none: it makes no calls")
    python = ROOT / ".firebreak/envs/calculator/bin/python"
    command = [python, "-I", "-m", "firebreak_runtime", "--service", CALCULATOR, "--listen", f"unix:{folder}/s"]
    command += ["--gateway", "unix:/nowhere", "--token-file", token, "--promise", "network", "--promise", "files"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            list(map(str, command)), stdout=log, stderr=log, cwd=folder, env={"HOME": str(folder)}
        )
    wait_for((folder / "s").exists, 30, "the second host's socket")
    yield folder / "s"
    process.terminate()
    process.wait(20)


def test_a_wall_that_is_claimed_but_missing_keeps_a_service_out(calculator: Instance, pretender: Path) -> None:
    link = calculator.state / "run/calculator.sock"
    before = os.readlink(link)
    new = link.with_name("new")
    new.symlink_to(pretender)
    new.replace(link)
    coming = wait_for(
        lambda: (it := calculator.service("calculator")["next"]) and "promise" in it["reason"] and it, 30, "it"
    )
    assert coming["state"] == "not_ready"
    assert "its sandbox does not keep the promise `network`: " in coming["reason"]
    code, found = doctor(calculator)
    assert code == 1
    assert "the one before goes on: its sandbox does not keep the promise `network`" in found["services"][0]["notes"][0]
    with calculator.client() as client:
        assert client.call("calculator", {"expression": "1 + 1"}).text == "2"
    new.symlink_to(before)
    new.replace(link)
    wait_for(lambda: calculator.service("calculator")["next"] is None, 10, "the real one alone")
    assert doctor(calculator)[0] == 0
