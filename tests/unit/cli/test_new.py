"""`firebreak new` as people and programs see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.scaffold.running import in_force, settled
from gateway.adapters.policy.bundle import read_bundle


@pytest.fixture
def rows() -> list[dict[str, str]]:
    """Rows of the gateway's report; the test may change them."""
    return []


@pytest.fixture
def admin(rows: list[dict[str, str]], repository: Path) -> Iterator[str]:
    """The address of a gateway's admin surface. The policy on disk is in force at once."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            policy = {"revision": read_bundle(repository / "policies").revision}
            body = json.dumps({"services": rows, "gateway": {"policy": policy}}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def row(name: str, state: str, reason: str = "") -> dict[str, str]:
    return {"name": name, "state": state, "reason": reason}


def new(repository: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["new", *words, "--config", str(repository / "firebreak.yaml")])


def runs_at(repository: Path, admin: str) -> None:
    file = repository / "firebreak.yaml"
    file.write_text(file.read_text().replace("127.0.0.1:1  # nobody is there", admin))


def test_it_says_what_it_did_and_what_comes_next(repository: Path) -> None:
    done = new(repository, "tool", "shout")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "services/shout: written"
    assert lines[1] == "policies/data/grants.yaml: granted to developer"
    assert lines[2].startswith("its environment: installed in ")
    assert lines[3] == "firebreak.yaml: the service is in"
    assert lines[-2:] == ["  make run", '  .venv/bin/firebreak call shout \'{"text": "hello"}\'']


def test_it_tells_programs_the_same(repository: Path) -> None:
    done = new(repository, "agent", "helper", "--json")
    report = json.loads(done.stdout)
    assert {key: report[key] for key in ("name", "kind", "folder", "installed", "state", "notes")} == {
        "name": "helper", "kind": "agent", "folder": "services/helper", "installed": True, "state": "not running", "notes": [],
    }  # fmt: skip
    assert report["changed"] == ["policies/data/grants.yaml", "policies/data/roles.yaml", "firebreak.yaml"]
    assert set(report["files"]) >= {"agent.py", "service.yaml", "test_helper.py", "requirements.lock"}
    assert report["next"] == ["make run", '.venv/bin/firebreak ask helper "What is 1234 * 5678?"']


def test_a_model_is_for_agents_too(repository: Path) -> None:
    report = json.loads(new(repository, "model", "parrot", "--json").stdout)
    assert report["next"][-1] == ".venv/bin/firebreak new agent parrot-agent --model parrot"
    report = json.loads(new(repository, "agent", "parrot-agent", "--model", "parrot", "--json").stdout)
    assert report["notes"] == []


def test_a_running_gateway_is_waited_for(repository: Path, admin: str, rows: list[dict[str, str]]) -> None:
    runs_at(repository, admin)
    rows.append(row("shout", "ready"))
    done = new(repository, "tool", "shout")
    assert "the running Firebreak: serves it after" in done.output
    assert "make run" not in done.output


def test_why_a_running_gateway_does_not_serve_it(repository: Path, admin: str, rows: list[dict[str, str]]) -> None:
    runs_at(repository, admin)
    rows.append(row("shout", "not_ready", "its import fails"))
    done = new(repository, "tool", "shout")
    assert "the running Firebreak does not serve it yet: not_ready. its import fails" in done.output
    assert ".venv/bin/firebreak status" in done.output


def test_what_is_left_to_do_without_an_environment(repository: Path) -> None:
    done = new(repository, "tool", "shout", "--no-lock")
    assert done.output.splitlines()[-3:-1] == ["Next:", "  make run"]
    done = new(repository, "tool", "loud", "--no-lock", "--langchain", "0.3.30")
    assert done.output.splitlines()[-4:-1] == ["Next:", "  scripts/lock services/loud", "  make run"]


def test_what_runs_here_waits_for_a_lock(repository: Path, admin: str) -> None:
    runs_at(repository, admin)
    report = json.loads(new(repository, "tool", "loud", "--no-lock", "--langchain", "0.3.30", "--json").stdout)
    assert (report["installed"], report["state"]) == (False, "not locked")
    assert report["next"][:-1] == ["scripts/lock services/loud"]


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["tool", "calculator"], 1, "there is a folder services/calculator already"),
        (["tool", "shout", "--tool", "calculator"], 2, "--tool and --model are for agents"),
        (["tool", "shout", "--model", "router"], 2, "--tool and --model are for agents"),
        (["spoon", "shout"], 2, "spoon"),
    ],
)
def test_what_is_refused(repository: Path, words: list[str], code: int, why: str) -> None:
    done = new(repository, *words)
    assert done.exit_code == code
    assert why in done.output


class TestWaiting:
    def test_ends_when_the_service_is_ready(self, admin: str, rows: list[dict[str, str]]) -> None:
        states = iter(["starting", "starting", "ready"])

        def sleep(_: float) -> None:
            rows[:] = [row("shout", next(states))]

        assert settled(admin, "shout", 10.0, now=lambda: 0.0, sleep=sleep) == ("ready", "")

    def test_ends_when_it_is_certain_not_to_be(self, admin: str, rows: list[dict[str, str]]) -> None:
        rows.append(row("shout", "not_ready", "why"))
        assert settled(admin, "shout", 10.0, now=lambda: 0.0) == ("not_ready", "why")

    @pytest.mark.parametrize(("seconds", "looks"), [(9.9, 2), (10.0, 1)])
    def test_ends_when_patience_does(self, admin: str, rows: list[dict[str, str]], seconds: float, looks: int) -> None:
        clock = iter([0.0, seconds, 10.0])
        slept: list[float] = []
        assert settled(admin, "shout", 10.0, now=lambda: next(clock), sleep=slept.append)[0] == "unknown"
        assert len(slept) + 1 == looks

    def test_says_when_the_gateway_has_gone(self) -> None:
        state, reason = settled("127.0.0.1:1", "shout", 0.0)
        assert state == "unknown"
        assert reason.startswith("no gateway answers on 127.0.0.1:1")


class TestPolicy:
    """An agent that starts before its role counts would be denied its tools."""

    def test_is_waited_for(self, admin: str, repository: Path) -> None:
        grants = repository / "policies/data/grants.yaml"
        before, text = read_bundle(repository / "policies").revision, grants.read_text()
        grants.write_text(text.replace("router:", "other:"))
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 2:
                grants.write_text(text)

        assert in_force(admin, before, 10.0, now=lambda: 0.0, sleep=sleep)
        assert len(slept) == 2

    @pytest.mark.parametrize(("seconds", "looks"), [(9.9, 2), (10.0, 1)])
    def test_is_waited_for_no_longer_than_patience_lasts(self, admin: str, seconds: float, looks: int) -> None:
        clock = iter([0.0, seconds, 10.0])
        slept: list[float] = []
        assert not in_force(admin, "another", 10.0, now=lambda: next(clock), sleep=slept.append)
        assert len(slept) + 1 == looks

    def test_is_not_waited_for_where_no_gateway_runs(self) -> None:
        assert not in_force("127.0.0.1:1", "any", now=lambda: 0.0)


class TestCompletion:
    def test_is_mentioned(self) -> None:
        assert "firebreak --install-completion" in CliRunner().invoke(app, ["--help"]).output

    @pytest.mark.parametrize(("words", "expected"), [("firebreak ne", "new"), ("firebreak new a", "agent")])
    def test_completes(self, words: str, expected: str) -> None:
        env = os.environ | {
            "_FIREBREAK_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        command = [Path(sys.executable).with_name("firebreak")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.stdout.split() == [expected]

    def test_installs_for_this_shell(self, tmp_path: Path) -> None:
        command = [Path(sys.executable).with_name("firebreak"), "--install-completion", "bash"]
        env = os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        script = tmp_path / ".bash_completions/firebreak.sh"
        assert str(script) in (tmp_path / ".bashrc").read_text()
        assert "complete -o default -F _firebreak_completion firebreak" in script.read_text()
