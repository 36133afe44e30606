"""`firebreak usage`, from what the gateway's admin surface tells."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app


def numbers(calls: int, prompts: int, answers: int, estimated: int = 0) -> dict[str, int]:
    return {"calls": calls, "input_tokens": prompts, "output_tokens": answers, "estimated_calls": estimated}


REPORT: dict[str, Any] = {
    "models": [{"target": "router", **numbers(6, 3_500, 600, 1)}, {"target": "small", **numbers(1, 10, 5)}],
    "principals": [
        {"principal": "user:ada", "target": "router", **numbers(4, 1_200, 300, 1)},
        {"principal": "user:ada", "target": "small", **numbers(1, 10, 5)},
        {"principal": "user:[bob]", "target": "router", **numbers(1, 2_000, 200)},
    ],
    "forgotten": 0,
}


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What an admin surface says at /usage, which the test may change; `status` is the HTTP status."""
    report: dict[str, Any] = {**deepcopy(REPORT), "status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/usage"
            self.send_response(report["status"])
            self.end_headers()
            self.wfile.write(
                b"ask on the gateway's own machine\n" if report["status"] != 200 else json.dumps(report).encode()
            )

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("FIREBREAK_ADMIN", f"127.0.0.1:{server.server_port}")
    yield report
    server.shutdown()
    thread.join()
    server.server_close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["usage", *arguments])


def rows(*arguments: str) -> list[list[str]]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.stdout.splitlines() if line.startswith(("user:", "router", "small"))]


def test_pairs_are_shown_and_who_used_most_comes_first(admin: dict[str, Any]) -> None:
    assert rows() == [
        ["user:[bob]", "router", "1", "2,000", "200", "0"],
        ["user:ada", "router", "4", "1,200", "300", "1"],
        ["user:ada", "small", "1", "10", "5", "0"],
    ]


def test_by_principal_the_models_add_up(admin: dict[str, Any]) -> None:
    assert rows("--by", "principal") == [
        ["user:[bob]", "1", "2,000", "200", "0"],
        ["user:ada", "5", "1,210", "305", "1"],
    ]


def test_by_model_the_gateways_own_sums_are_shown_which_forget_nothing(admin: dict[str, Any]) -> None:
    assert rows("--by", "model") == [["router", "6", "3,500", "600", "1"], ["small", "1", "10", "5", "0"]]


def test_json_has_the_same_rows(admin: dict[str, Any]) -> None:
    told = json.loads(run("--json", "--by", "principal").stdout)
    assert told["usage"][1] == {"principal": "user:ada", **numbers(5, 1_210, 305, 1)}
    assert told["forgotten"] == 0


def test_what_was_estimated_or_forgotten_is_said(admin: dict[str, Any]) -> None:
    assert "they count by size" in run().stdout
    assert "not shown" not in run().stdout
    admin["forgotten"] = 12
    assert "12 pairs of a principal and a model are not shown" in run().stdout
    assert "not shown" not in run("--by", "model").stdout
    for row in admin["principals"] + admin["models"]:
        row["estimated_calls"] = 0
    assert "by size" not in run().stdout


def test_no_call_of_a_model_is_said_so(admin: dict[str, Any]) -> None:
    admin |= {"models": [], "principals": []}
    assert run().stdout == "no model was called since the gateway started\n"
    assert json.loads(run("--json").stdout) == {"usage": [], "forgotten": 0}


def test_a_gateway_that_tells_only_its_own_machine_says_so(admin: dict[str, Any]) -> None:
    admin["status"] = 403
    result = run()
    assert (result.exit_code, result.stderr) == (1, "error: ask on the gateway's own machine\n")


def test_no_gateway_is_exit_code_3_and_says_what_to_do() -> None:
    result = run("--admin", "127.0.0.1:1")
    assert result.exit_code == 3
    assert "make run" in result.stderr
