"""What the README promises a newcomer, done with the shipped services."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from firebreak.client import AsyncClient, Client

from tests.e2e.instance import ROOT, Instance

QUESTION = "What is 1234 * 5678, and what does the handbook say about refunds?"


def test_status_shows_every_service_with_its_framework(shipped: Instance) -> None:
    done = shipped.cli("status", "--json")
    assert done.returncode == 0, done.stderr
    services = {row["name"]: row for row in json.loads(done.stdout)["services"]}
    assert {name: row["kind"] for name, row in services.items()} == {
        "assistant": "agent", "assistant-classic": "agent", "calculator": "tool",
        "handbook": "tool", "python": "tool", "router": "model", "sql": "tool", "web-fetch": "tool",
    }  # fmt: skip
    assert all(row["state"] == "ready" for row in services.values())
    assert services["assistant"]["framework_version"] == "1.4.7"
    assert services["assistant-classic"]["framework_version"] == "0.3.30"


def test_status_is_a_table_for_people(shipped: Instance) -> None:
    done = shipped.cli("status")
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith("assistant-classic"))
    assert re.search(r"agent +\d+\.\d+\.\d+ +langchain 0\.3\.30 +ready +CLOSED", row)


@pytest.mark.parametrize("agent", ["assistant", "assistant-classic"])
def test_ask_streams_the_answer_and_shows_each_tool_call(shipped: Instance, agent: str) -> None:
    done = shipped.cli("ask", agent, QUESTION)
    assert done.returncode == 0, done.stderr
    assert "7006652" in done.stdout.replace(",", "")
    assert "refund" in done.stdout.lower()
    assert re.search(r"→ calculator .*1234 \* 5678", done.stderr)
    assert "✓ handbook" in done.stderr


@pytest.mark.parametrize("agent", ["assistant", "assistant-classic"])
def test_ask_prints_events_as_json(shipped: Instance, agent: str) -> None:
    done = shipped.cli("ask", agent, QUESTION, "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["event"] for event in events]
    assert kinds.count("run_finished") == 1
    assert kinds[-1] == "run_finished"
    started = {event["name"]: event["args"] for event in events if event["event"] == "tool_started"}
    assert started["calculator"] == {"expression": "1234 * 5678"}
    assert "handbook" in started


def test_call_prints_the_tools_answer(shipped: Instance) -> None:
    done = shipped.cli("call", "calculator", '{"expression": "1234 * 5678"}')
    assert (done.returncode, done.stdout.strip()) == (0, "7006652"), done.stderr
    piped = shipped.cli("call", "calculator", "-", "--json", stdin='{"expression": "2 ** 10"}')
    assert json.loads(piped.stdout)["text"] == "1024"


def test_the_readmes_python_client_runs_as_it_stands(shipped: Instance) -> None:
    readme = (ROOT / "README.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "firebreak.client" in block)
    assert len(code.strip().splitlines()) <= 15
    done = shipped.python(code)
    assert done.returncode == 0, done.stderr
    assert "7006652" in done.stdout


async def test_the_async_client_makes_calls_and_streams(shipped: Instance) -> None:
    async with AsyncClient(shipped.connection()) as client:
        answer = await client.call("calculator", {"expression": "6 * 7"})
        assert (answer.ok, answer.text) == (True, "42")
        kinds = [event.kind async for event in client.run("assistant", "What is 6 * 7?")]
        assert kinds[-1] == "run_finished"
        assert "42" in await client.invoke("assistant", "What is 6 * 7?")


def test_the_catalogue_lists_what_the_caller_may_call(client: Client) -> None:
    targets = {target.name: target for target in client.catalog()}
    assert "expression" in json.loads(targets["calculator"].input_schema_json)["properties"]
    assert targets["assistant"].ready


def test_a_client_certificate_is_as_good_as_a_token(shipped: Instance) -> None:
    with Client(shipped.mtls_connection()) as client:
        assert client.call("calculator", {"expression": "6 * 7"}).text == "42"


def test_a_reader_that_has_seen_enough_is_no_error(shipped: Instance) -> None:
    command = f"{ROOT}/.venv/bin/firebreak ask assistant '{QUESTION}' --json | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], env=shipped.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout)["seq"] == 1
    assert done.stderr == ""
