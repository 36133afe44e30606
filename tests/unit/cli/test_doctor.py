"""Which promises hold: from reports as the gateway's admin surface gives them, and from what the launcher wrote."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app


def promise(name: str, verdict: str = "held", detail: str = "") -> dict[str, str]:
    return {"name": name, "verdict": verdict, "detail": detail}


def service(name: str, *promises: dict[str, str], **changes: Any) -> dict[str, Any]:
    proof = {"at": 12.3, "promises": list(promises)}
    return {"name": name, "kind": "tool", "state": "ready", "reason": "", "proof": proof, "next": None, **changes}


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A report in which all is well, which the test may change; the launcher's state is an empty folder."""
    told: dict[str, Any] = {
        "gateway": {
            "policy": {"engine": "embedded", "revision": "abc", "error": ""},
            "proof": {"at": 0.4, "promises": [promise("credentials:none")]},
            "sandbox": "best-effort",
        },
        "configuration": {"revision": "1", "error": "", "needs_restart": []},
        "journal": {"mode": "best-effort", "failing": "", "lost": 0},
        "quotas": {"backend": "redis", "degraded": ""},
        "services": [
            service("calculator", promise("deny:stranger"), promise("allow:adds"), promise("network")),
            service("handbook", promise("deny:stranger"), promise("allow:finds")),
        ],
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("FIREBREAK_ADMIN", f"127.0.0.1:{server.server_port}")
    monkeypatch.setenv("FIREBREAK_STATE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "40")
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def doctor(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["doctor", *words])
    return done.exit_code, done.stdout


def as_json(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(doctor("--json", *words)[1])
    return found


def findings(name: str) -> dict[str, dict[str, Any]]:
    row = next(each for each in as_json()["services"] if each["name"] == name)
    return {finding["name"]: finding for finding in row["findings"]}


def launched(tmp_path: Path, name: str, promises: list[str], missing: dict[str, str]) -> None:
    sandbox = {"promises": promises, "missing": missing}
    (tmp_path / f"run/{name}.json").write_text(json.dumps({"pid": 1, "restarts": 0, "reason": "", "sandbox": sandbox}))


def test_all_is_well(report: dict[str, Any]) -> None:
    code, shown = doctor()
    assert code == 0
    assert "calculator  ready" in shown
    assert "deny:stranger, allow:adds, network" in shown
    assert "12 s ago" in shown
    assert "all is well  promises: 6 held" in shown
    assert as_json()["well"] is True


def test_a_listener_in_the_clear_is_told_and_not_held_against_the_gateway(report: dict[str, Any]) -> None:
    report["gateway"]["plaintext"] = ["public"]
    code, shown = doctor()
    assert code == 0
    assert "not in force: calls on listener public cross the network in the clear" in shown
    assert "gateway  ready" in shown


def test_a_named_service_is_shown_promise_by_promise(report: dict[str, Any]) -> None:
    code, shown = doctor("calculator")
    assert code == 0
    lines = [line.split() for line in shown.splitlines() if "held" in line]
    assert ["✓", "held", "12", "s", "ago", "network"] in lines
    assert "handbook" not in shown


def test_an_unknown_service_is_told_with_the_known_ones(report: dict[str, Any]) -> None:
    done = CliRunner().invoke(app, ["doctor", "calc"])
    assert done.exit_code == 2
    assert "there is no service calc here; there are: calculator, handbook" in done.stderr


def test_a_broken_promise_comes_first_with_why_and_what_to_do(report: dict[str, Any]) -> None:
    report["services"][0] = service(
        "calculator",
        promise("deny:stranger"),
        promise("landlock", "not_in_force", "the kernel has none"),
        promise("network", "broken", "connected to 1.1.1.1:443"),
        state="not_ready",
        reason="its sandbox does not keep the promise `network`",
    )
    code, shown = doctor()
    assert code == 1
    assert "calculator  not ready: its sandbox does not keep the promise `network`" in shown
    assert shown.index("BROKEN") < shown.index("not in force")
    assert "connected to 1.1.1.1:443" in shown
    assert ".firebreak/logs/calculator.log" in shown
    assert "not well: calculator" in shown


def test_what_is_knowingly_not_in_force_is_no_failure_unless_it_is_required(
    report: dict[str, Any], tmp_path: Path
) -> None:
    report["services"][0]["proof"]["promises"].append(promise("landlock", "not_in_force", "nobody claims it"))
    launched(
        tmp_path, "calculator", ["network"], {"landlock": "this kernel has no Landlock", "memory": "no cgroups here"}
    )
    code, shown = doctor()
    assert code == 0
    assert "this kernel has no Landlock" in shown
    assert findings("calculator")["memory"]["verdict"] == "not_in_force"
    report["gateway"]["sandbox"] = "required"
    assert doctor()[0] == 1


def test_what_only_the_launcher_sees_to_is_said_not_proven(report: dict[str, Any], tmp_path: Path) -> None:
    launched(tmp_path, "calculator", ["memory", "files", "network"], {})
    found = findings("calculator")
    assert (found["memory"]["verdict"], found["memory"]["age"]) == ("held", None)
    assert (found["network"]["verdict"], found["network"]["age"]) == ("held", 12.3)
    assert found["files"]["verdict"] == "unknown"
    assert "no self-test has tried it" in found["files"]["detail"]
    assert doctor()[0] == 0


def test_a_service_without_probes_is_told_to_declare_some(report: dict[str, Any]) -> None:
    report["services"] = [
        service("calculator", promise("deny:stranger"), promise("network")),
        service("shop", promise("deny:stranger"), kind="service"),
    ]
    code, shown = doctor()
    assert code == 0
    assert shown.count("no probes are declared") == 1


def test_a_newer_version_that_is_not_in_use_is_a_failure(report: dict[str, Any], tmp_path: Path) -> None:
    report["services"][0]["next"] = {"state": "starting", "reason": "", "address": "", "socket": ""}
    assert doctor()[0] == 0
    report["services"][0]["next"] |= {"state": "not_ready", "reason": "its probe allow:adds fails"}
    code, shown = doctor()
    assert code == 1
    assert "a newer version is not in use, the one before goes on: its probe allow:adds fails" in shown
    report["services"][0]["next"] = None
    (tmp_path / "run/calculator.json").write_text('{"next": "no module x"}')
    assert "goes on: no module x" in doctor()[1]


def test_why_a_process_is_not_there_is_the_launchers_to_say(report: dict[str, Any], tmp_path: Path) -> None:
    report["services"][0] |= {"proof": None, "state": "starting", "reason": "nothing answers"}
    (tmp_path / "run/calculator.json").write_text('{"reason": "ended with exit code 3"}')
    code, shown = doctor()
    assert code == 1
    assert "calculator  starting: ended with exit code 3" in shown
    assert "no probes are declared" not in shown


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("configuration", {"error": "firebreak.yaml:3: unknown key"}, "the configuration on disk is not in force"),
        ("configuration", {"needs_restart": ["admin"]}, "not in force before a restart: admin"),
        ("journal", {"failing": "disk full"}, "the journal cannot be written: disk full"),
        ("journal", {"lost": 3}, "3 calls went unrecorded"),
        ("quotas", {"degraded": "Redis is gone"}, "quotas are not shared with other gateways now: Redis is gone"),
    ],
)
def test_what_is_configured_but_not_in_force_is_a_failure(
    report: dict[str, Any], part: str, change: dict[str, Any], words: str
) -> None:
    report[part] |= change
    code, shown = doctor()
    assert code == 1
    assert words in shown
    assert "not well: gateway" in shown


def test_a_policy_that_is_not_in_force_is_a_failure(report: dict[str, Any]) -> None:
    report["gateway"]["policy"]["error"] = "x.rego:3: unexpected }"
    code, shown = doctor()
    assert code == 1
    assert "the policy on disk is not in force: x.rego:3: unexpected }" in shown


def test_an_engine_that_cannot_be_asked_is_told_once(report: dict[str, Any]) -> None:
    report["gateway"]["policy"] |= {"error": "x.rego:3: unexpected }\nOPA is gone", "failing": "OPA is gone"}
    code, shown = doctor()
    assert code == 1
    assert "policy cannot be asked, every call is denied: OPA is gone" in shown
    assert "the policy on disk is not in force: x.rego:3: unexpected }" in shown
    assert shown.count("OPA is gone") == 1


def test_a_gateway_that_lets_strangers_in_is_a_failure(report: dict[str, Any]) -> None:
    report["gateway"]["proof"]["promises"] = [promise("credentials:none", "broken", "taken for [user:eve]")]
    code, shown = doctor()
    assert code == 1
    assert "taken for [user:eve]" in shown


def test_nothing_proven_yet_is_not_well(report: dict[str, Any]) -> None:
    report["gateway"]["proof"] = None
    report["services"][0] |= {"proof": None, "state": "starting", "reason": "its probes are being answered"}
    code, shown = doctor()
    assert code == 1
    assert "its own promises are being proven" in shown
    assert "calculator  starting: its probes are being answered" in shown


def test_nobody_answers() -> None:
    assert CliRunner().invoke(app, ["doctor", "--admin", "127.0.0.1:1"]).exit_code == 3
