"""The table of services, from a report as the gateway's admin surface gives it."""

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

SERVICE = {
    "name": "calculator", "kind": "tool", "version": "1.0.0", "framework": "langchain-core", "framework_version": "1.7.2",
    "core_version": "1.7.2", "python": "3.11.7", "state": "ready", "reason": "", "breaker": "CLOSED", "calls": 3, "errors": 1,
    "p50_ms": 2.25, "p99_ms": 9.0, "address": "unix:x", "socket": "/x", "next": None,
}  # fmt: skip

JOURNAL = {
    "mode": "best-effort", "store": "sqlite", "writer": "ab12", "seq": 7, "head": "00", "queued": 0, "queued_bytes": 0,
    "written": 7, "lost": 0, "cut": 0, "failing": "", "unnoted": "",
}  # fmt: skip


CONFIGURATION = {
    "revision": "1234567890abcdef", "loaded": "2026-01-01T00:00:00.000+00:00", "reloads": 0, "failed": 0, "error": "",
    "needs_restart": [], "draining": [],
}  # fmt: skip


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A report that the test may change, served over HTTP; the launcher's state is an empty folder."""
    report: dict[str, Any] = {
        "gateway": {"version": "0.1.0", "policy": {"engine": "embedded", "revision": "abcdef0123456789", "error": ""}},
        "configuration": dict(CONFIGURATION),
        "journal": dict(JOURNAL),
        "services": [dict(SERVICE)],
    }  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(report).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("FIREBREAK_ADMIN", f"127.0.0.1:{server.server_port}")
    monkeypatch.setenv("FIREBREAK_STATE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "40")
    yield report
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_row_has_everything(admin: dict[str, Any]) -> None:
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if line.startswith("calculator"))
    assert row.split() == [
        "calculator",
        "tool",
        "1.0.0",
        "langchain-core",
        "1.7.2",
        "ready",
        "CLOSED",
        "3",
        "1",
        "2.2/9.0",
    ]
    assert "policy abcdef012345 (embedded)" in result.stdout


def test_a_service_that_is_not_ready_shows_the_launchers_reason_and_exit_code_1(
    admin: dict[str, Any], tmp_path: Path
) -> None:
    admin["services"][0] |= {"state": "not_ready", "reason": "cannot connect", "p50_ms": None, "p99_ms": None}
    (tmp_path / "run/calculator.json").write_text('{"pid": null, "restarts": 4, "reason": "ended with exit code 3"}')
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 1
    assert "calculator is not_ready: ended with exit code 3" in result.stdout
    as_json = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert as_json["services"][0]["restarts"] == 4


def test_a_listener_in_the_clear_is_told(admin: dict[str, Any]) -> None:
    words = "not in force: calls on listener public cross the network in the clear"
    assert "in the clear" not in CliRunner().invoke(app, ["status"]).stdout
    admin["gateway"]["plaintext"] = ["public"]
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 0
    assert words in result.stdout


def test_a_policy_that_is_not_in_force_is_told(admin: dict[str, Any]) -> None:
    admin["gateway"]["policy"]["error"] = "policies/x.rego:3: unexpected }"
    assert "not in force: policies/x.rego:3: unexpected }" in CliRunner().invoke(app, ["status"]).stdout


def test_an_engine_that_cannot_be_asked_is_not_a_policy_that_is_wrong(admin: dict[str, Any]) -> None:
    admin["gateway"]["policy"] |= {"error": "OPA is gone", "failing": "OPA is gone"}
    shown = CliRunner().invoke(app, ["status"]).stdout
    assert "policy cannot be asked, every call is denied: OPA is gone" in shown
    assert "on disk" not in shown


def test_quotas_that_are_not_shared_now_are_told(admin: dict[str, Any]) -> None:
    admin["quotas"] = {"backend": "redis", "degraded": ""}
    assert "quotas" not in CliRunner().invoke(app, ["status"]).stdout
    admin["quotas"]["degraded"] = "Redis at redis:6379 does not answer"
    shown = CliRunner().invoke(app, ["status"]).stdout
    assert "quotas are not shared with other gateways now: Redis at redis:6379 does not answer" in shown


def test_a_configuration_that_is_not_in_force_is_told(admin: dict[str, Any]) -> None:
    assert "configuration 1234567890ab\n" in CliRunner().invoke(app, ["status"]).stdout
    admin["configuration"] |= {"error": "firebreak.yaml:3: unknown key", "needs_restart": ["admin", "journal.mode"]}
    shown = CliRunner().invoke(app, ["status"]).stdout
    assert "on disk is not in force: firebreak.yaml:3: unknown key" in shown
    assert "not in force before a restart: admin, journal.mode" in shown


def test_a_newer_version_that_is_not_in_use_yet_is_told(admin: dict[str, Any]) -> None:
    admin["services"][0]["next"] = {"state": "starting", "reason": "", "address": "unix:x", "socket": "/y"}
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 0
    assert "a newer calculator is starting, the one before goes on\n" in result.stdout


def test_a_newer_version_that_the_launcher_gave_up_is_told(admin: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "run/calculator.json").write_text('{"pid": 1, "restarts": 0, "reason": "", "next": "no module x"}')
    result = CliRunner().invoke(app, ["status"])
    assert "a newer calculator is not_ready, the one before goes on: no module x" in result.stdout
    as_json = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert as_json["services"][0]["next"]["reason"] == "no module x"


def test_walls_that_are_not_there_are_told_for_each_service(admin: dict[str, Any], tmp_path: Path) -> None:
    assert "not in force for" not in CliRunner().invoke(app, ["status"]).stdout
    sandbox = {"promises": ["files"], "missing": {"memory": "no [groups]", "cpu": "no [groups]", "network": "a port"}}
    (tmp_path / "run/calculator.json").write_text(json.dumps({"sandbox": sandbox}))
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 0
    assert "not in force for calculator: memory, cpu: no [groups]; network: a port\n" in result.stdout
    as_json = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert as_json["services"][0]["sandbox"] == sandbox
    admin["services"].append(SERVICE | {"name": "python"})
    (tmp_path / "run/python.json").write_text(json.dumps({"sandbox": sandbox}))
    shown = CliRunner().invoke(app, ["status"]).stdout
    assert "not in force for calculator, python: memory, cpu: no [groups]; network: a port\n" in shown
    admin["services"].pop()
    promise = {"name": "network", "verdict": "held", "detail": ""}
    admin["services"][0]["proof"] = {"at": 1.0, "promises": [promise]}
    assert "memory, cpu: no [groups]\n" in CliRunner().invoke(app, ["status"]).stdout


def test_broken_promises_are_counted_and_doctor_is_named(admin: dict[str, Any]) -> None:
    assert "promises:" not in CliRunner().invoke(app, ["status"]).stdout
    broken = {"name": "network", "verdict": "broken", "detail": ""}
    held = {"name": "files", "verdict": "held", "detail": ""}
    admin["gateway"]["proof"] = {"at": 1.0, "promises": [broken]}
    admin["services"][0]["proof"] = {"at": 1.0, "promises": [broken, held]}
    assert "promises: 2 broken, see `firebreak doctor`" in CliRunner().invoke(app, ["status"]).stdout


def test_no_gateway_is_exit_code_3_and_says_what_to_do() -> None:
    result = CliRunner().invoke(app, ["status", "--admin", "127.0.0.1:1"])
    assert result.exit_code == 3
    assert "make run" in result.stderr


def test_the_journal_is_one_line(admin: dict[str, Any]) -> None:
    admin["journal"] |= {"queued": 3}
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "journal best-effort (sqlite): 7 written, 3 queued"


@pytest.mark.parametrize(
    ("changed", "shown", "code"),
    [
        ({"lost": 2}, "2 lost", 1),
        ({"failing": "the disk is full [x]"}, "the journal cannot be written: the disk is full [x]", 1),
        ({"cut": 4}, "4 answers cut", 0),
        ({"unnoted": "the end of the chain could not be noted: x"}, "could not be noted", 0),
        ({"mode": "none"}, "journal none: no call is on record", 0),
    ],
)
def test_what_is_wrong_with_the_journal_is_said(
    admin: dict[str, Any], changed: dict[str, Any], shown: str, code: int
) -> None:
    admin["journal"] |= changed
    result = CliRunner().invoke(app, ["status"])
    assert (shown in result.stdout.replace("\n", " "), result.exit_code) == (True, code)
