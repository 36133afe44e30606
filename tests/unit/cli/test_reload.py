"""`firebreak reload` asks the gateway that runs here, waits until it is done, and says what came of it."""

from __future__ import annotations

import copy
import fcntl
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.reload import differences

GATEWAY = """
import http.server, json, pathlib, signal, sys
folder, reloads = pathlib.Path(sys.argv[1]), 0

def asked(*_):
    global reloads
    reloads += 1

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        report = json.loads((folder / ("after" if reloads else "before")).read_text())
        report["configuration"]["reloads"] = reloads
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(report).encode())
    def log_message(self, *_):
        pass

signal.signal(signal.SIGHUP, asked)
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
ROW = {
    "name": "x", "version": "1.0.0", "address": "unix:x.sock", "socket": "/x.1.sock", "state": "ready", "reason": "",
    "next": None,
}  # fmt: skip
REPORT: dict[str, Any] = {
    "configuration": {"revision": "1" * 64, "loaded": "12:00", "error": "", "needs_restart": []},
    "services": [ROW],
}
Change = Callable[..., Result]


def report(*rows: dict[str, Any], **configuration: Any) -> dict[str, Any]:
    made = copy.deepcopy(REPORT)
    made["configuration"] |= configuration
    made["services"] = [ROW | row for row in rows] or made["services"]
    return made


@pytest.fixture
def reload(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Change]:
    """Runs the command against a gateway process whose report is another one after SIGHUP."""
    run = tmp_path / "run"
    run.mkdir()
    monkeypatch.setenv("FIREBREAK_STATE", str(tmp_path))
    (tmp_path / "before").write_text(json.dumps(REPORT))
    command = [sys.executable, "-c", GATEWAY, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway, (run / "lock").open("w") as lock:
        assert gateway.stdout is not None
        (run / "addresses.json").write_text(json.dumps({"admin": f"127.0.0.1:{gateway.stdout.readline().strip()}"}))
        (run / "gateway.json").write_text(json.dumps({"pid": gateway.pid}))
        fcntl.flock(lock, fcntl.LOCK_EX)

        def invoke(after: dict[str, Any], *options: str) -> Result:
            (tmp_path / "after").write_text(json.dumps(after))
            return CliRunner().invoke(app, ["reload", *options])

        yield invoke
        gateway.kill()


def test_what_changed_is_said(reload: Change) -> None:
    done = reload(report({"version": "1.0.1"}, {"name": "y"}, revision="2" * 64))
    assert done.exit_code == 0, done.output
    assert done.stdout == "in force: configuration 222222222222\n  added: y\n  replaced: x\n"


def test_nothing_to_change_is_said_too(reload: Change) -> None:
    done = reload(report())
    assert (done.exit_code, done.stdout) == (0, "nothing to change: in force since 12:00\n")


def test_a_wrong_configuration_is_exit_code_1_with_file_and_line(reload: Change) -> None:
    done = reload(report(error="firebreak.yaml:3: unknown key [x]"))
    assert done.exit_code == 1
    assert "stays in force:\nfirebreak.yaml:3: unknown key [x]\n" in done.stdout


def test_what_takes_a_restart_is_named(reload: Change) -> None:
    done = reload(report(needs_restart=["admin"]))
    assert done.exit_code == 0
    assert "takes a restart of Firebreak: admin\n" in done.stdout


def test_a_service_that_does_not_become_ready_is_exit_code_1(reload: Change) -> None:
    done = reload(report({"state": "not_ready", "reason": "no module y"}))
    assert done.exit_code == 1
    assert "x is not ready: no module y\n" in done.stdout


def test_a_newer_instance_that_is_not_ready_is_exit_code_1(reload: Change) -> None:
    done = reload(report({"next": {"state": "not_ready", "reason": "no module y"}}), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["not_ready"] == {"x": "no module y"}


@pytest.mark.parametrize("row", [{"state": "starting"}, {"next": {"state": "starting", "reason": ""}}])
def test_what_is_starting_is_waited_for_only_so_long(reload: Change, row: dict[str, Any]) -> None:
    done = reload(report(row), "--timeout", "0.2")
    assert done.exit_code == 1
    assert "a service is still starting" in done.stderr


def test_json_has_it_all(reload: Change) -> None:
    done = reload(report({"name": "y"}), "--json")
    assert json.loads(done.stdout) == {
        "error": "", "revision": "1" * 64, "loaded": "12:00", "settings_changed": False, "needs_restart": [],
        "added": ["y"], "removed": ["x"], "replaced": [], "not_ready": {},
    }  # fmt: skip


def test_a_process_number_that_a_launcher_left_behind_is_not_signalled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FIREBREAK_STATE", str(tmp_path))
    run = tmp_path / "run"
    run.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        (run / "gateway.json").write_text(json.dumps({"pid": bystander.pid}))
        for _ in range(2):  # without a lock file, then with one that nobody holds
            done = CliRunner().invoke(app, ["reload"])
            assert done.exit_code == 3
            assert "Firebreak does not run here" in done.stderr
            (run / "lock").touch()
        bystander.communicate(b"\n")
    assert bystander.returncode == 0


def test_another_socket_is_another_instance() -> None:
    assert differences(report(), report({"socket": "/x.2.sock"}))["replaced"] == ["x"]
    assert differences(report(), report())["replaced"] == []
