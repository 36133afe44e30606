"""The journal of a running instance: every call on record, readable, provably whole, and erasable."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow.parquet
import pytest
from firebreak.client import CallFailed, Client
from firebreak.v1 import agent_pb2, tool_pb2

from gateway.adapters.config_files import load
from gateway.adapters.journal.databases.open import open_store
from gateway.adapters.journal.reading.reader import Reader, Run
from tests.e2e.instance import ROOT, Instance, wait_for

DEVELOPER = "user:developer"
WRITTEN = 10.0
"""Seconds within which a record is in the journal on a busy machine."""


def journal(instance: Instance, *words: str, code: int = 0) -> str:
    """Standard output of `firebreak journal`, and its errors where it is meant to fail."""
    done = instance.cli("journal", *words, "--config", str(instance.config))
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout if code == 0 else done.stdout + done.stderr


def objects(instance: Instance, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal(instance, "export", *words).splitlines()]


def recorded(instance: Instance, *words: str) -> list[dict[str, Any]]:
    """Records that match, once there is one: best-effort writes a moment later."""
    found: list[dict[str, Any]] = wait_for(lambda: objects(instance, *words), WRITTEN, f"a record of {words}")
    return found


def run_of(instance: Instance, call_id: str) -> Run:
    loaded = load(instance.config)
    store = open_store(loaded.config.journal, loaded.root, durable=False)
    try:
        return Reader(store).run(call_id)
    finally:
        store.close()


@pytest.fixture(scope="module")
def asked(shipped: Instance) -> tuple[str, list[Any], str]:
    """A question whose answer took the model and a tool: its call's id, its events as the client got them, and its text."""
    question = "What is 7391 * 11?"
    with shipped.client() as client:
        events = list(client.run("assistant", question))
    calls = recorded(shipped, "--target", "assistant", "--principal", DEVELOPER)
    mine = [call for call in calls if question in json.dumps(call["content"])]
    return mine[-1]["call"], events, question


def test_a_session_shows_agent_model_and_tool_with_what_policy_decided(
    shipped: Instance, asked: tuple[str, list[Any], str]
) -> None:
    call, _, question = asked
    lines = journal(shipped, "session", call).splitlines()
    assert DEVELOPER in lines[1]
    assert lines[1].endswith("all OK")
    calls = [line for line in lines if "█" in line]
    names = [line.split("█")[0].split("·")[0].split("✓")[1].split() for line in calls]
    assert names[0] == ["assistant", "Run"]
    assert ["router", "Stream"] in names
    assert ["calculator", "Stream"] in names
    assert all(line.lstrip().startswith(("├─", "└─")) for line in calls[1:] if "Describe" not in line)
    assert any(question in line for line in lines)
    assert sum("allowed by" in line for line in lines) == len(calls)
    assert any('"7391 * 11" → 81301' in line for line in lines)


def test_the_latest_session_needs_no_id(shipped: Instance, asked: tuple[str, list[Any], str]) -> None:
    assert journal(shipped, "session", "last").startswith("session ")


def test_a_run_is_given_back_byte_for_byte(shipped: Instance, asked: tuple[str, list[Any], str]) -> None:
    call, events, question = asked
    run = run_of(shipped, call)
    request = agent_pb2.AgentServiceRunRequest.FromString(run.own.request)
    assert request.input.messages[0].content[0].text == question
    answers = [agent_pb2.AgentServiceRunResponse.FromString(answer) for answer in run.own.answers]
    assert [answer.seq for answer in answers] == [event.seq for event in events]
    assert [getattr(answer, answer.WhichOneof("event")) for answer in answers] == [event.message for event in events]
    assert (run.own.code, run.own.start) == ("OK", 0)
    tool = next(child for child in run.children if child.target == "calculator")
    sent = tool_pb2.ToolServiceStreamRequest.FromString(tool.request)
    (answer,) = tool.answers
    assert json.loads(sent.call.args_json) == {"expression": "7391 * 11"}
    assert tool_pb2.ToolServiceStreamResponse.FromString(answer).result.content[0].text == "81301"
    starts = [child.start for child in run.children]
    assert starts == sorted(starts)
    assert all(0 <= child.start <= child.end <= run.own.end for child in run.children)


def test_a_call_shows_who_what_and_why(shipped: Instance, client: Client) -> None:
    client.call("calculator", {"expression": "2 ** 31"})
    (call,) = [each for each in recorded(shipped, "--target", "calculator") if "2 ** 31" in json.dumps(each["content"])]
    shown = journal(shipped, "show", call["call"][:16])
    assert "✓ OK" in shown
    assert f"caller    {DEVELOPER}" in shown
    assert "policy    allowed by" in shown
    assert '{"call": {"target": "calculator", "args_json": {"expression": "2 ** 31"}}}' in shown
    assert "2147483648" in shown
    assert f"decision {call['decision']}" in journal(shipped, "show", call["decision"])
    seen = json.loads(journal(shipped, "show", call["call"], "--input"))
    assert (seen["args"], seen["principal"]["id"]) == ({"expression": "2 ** 31"}, DEVELOPER)


def test_a_call_that_names_no_target_and_a_method_that_is_not_there_are_on_record(
    shipped: Instance, client: Client
) -> None:
    with pytest.raises(CallFailed):
        client.call("nobody", {})
    nothing = client.channel.unary_unary("/firebreak.v1.NoService/Nothing")
    with pytest.raises(grpc.RpcError):
        nothing(b"", metadata=client.connection.metadata())
    assert recorded(shipped, "--outcome", "TARGET_UNKNOWN")[-1]["method"] == "/firebreak.v1.ToolService/Call"
    assert recorded(shipped, "--outcome", "METHOD_UNKNOWN")[-1]["method"] == "/firebreak.v1.NoService/Nothing"
    assert "METHOD_UNKNOWN" in journal(shipped, "tail", "--outcome", "METHOD_UNKNOWN")


def test_it_is_whole_while_the_gateway_runs(shipped: Instance, asked: tuple[str, list[Any], str]) -> None:
    report = json.loads(journal(shipped, "verify", "--json"))
    assert report["whole"]
    assert report["rows"] > 3


def test_both_formats_hold_the_same_records(
    shipped: Instance, asked: tuple[str, list[Any], str], tmp_path: Path
) -> None:
    call, _, _ = asked
    journal(shipped, "export", "--format", "jsonl", "--target", "assistant", "--out", str(tmp_path / "calls.jsonl"))
    journal(shipped, "export", "--format", "parquet", "--target", "assistant", "--out", str(tmp_path / "calls.parquet"))
    lines = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    rows = pyarrow.parquet.read_table(tmp_path / "calls.parquet").to_pylist()
    assert call in [line["call"] for line in lines]
    assert [line["hash"] for line in lines] == [row["hash"] for row in rows]
    assert [line["content"] for line in lines] == [json.loads(row["content"]) for row in rows]


class TestOfItsOwn:
    """With an instance that a test may do anything to."""

    @pytest.fixture
    def instance(self, start: Callable[..., Instance]) -> Iterator[Instance]:
        yield start([ROOT / "services/calculator"])

    def call(self, instance: Instance, expression: str) -> None:
        with instance.client() as client:
            client.call("calculator", {"expression": expression})

    def database(self, instance: Instance) -> Path:
        return instance.state / "journal/journal.db"

    def test_a_denied_call_is_on_record_with_its_rule_and_its_error_leads_there(self, instance: Instance) -> None:
        (instance.policies / "data/grants.yaml").write_text("grants: {}\n")

        def denied() -> Any:
            done = instance.cli("call", "calculator", '{"expression": "1"}')
            return done if done.returncode == 4 else None

        done = wait_for(denied, 10.0, "the denial")
        call = done.stderr.split("firebreak journal show ")[1].split()[0]
        wait_for(lambda: "POLICY_DENIED" in journal(instance, "tail", "-n", "100"), WRITTEN, "the record")
        shown = journal(instance, "show", call)
        assert "✗ POLICY_DENIED (PERMISSION_DENIED)" in shown
        assert "policy    denied by" in shown

    def test_a_row_that_somebody_changed_is_found(self, instance: Instance) -> None:
        self.call(instance, "1 + 1")
        recorded(instance, "--target", "calculator")
        assert "✓ whole" in journal(instance, "verify")
        with sqlite3.connect(self.database(instance), timeout=10) as connection:
            connection.execute("UPDATE rows SET principal = 'user:somebody' WHERE seq = (SELECT max(seq) FROM rows)")
        connection.close()
        assert "✗ not whole" in journal(instance, "verify", code=1)

    def test_what_a_person_said_is_erased_from_the_files_and_the_journal_stays_whole(self, instance: Instance) -> None:
        self.call(instance, "314159 + 271828")
        recorded(instance, "--target", "calculator")
        assert b"314159" in self.bytes_of(instance)
        assert "erased from" in journal(instance, "erase", DEVELOPER, "--yes")
        left = self.bytes_of(instance)
        assert b"314159" not in left
        assert DEVELOPER.encode() not in left
        assert "✓ whole" in journal(instance, "verify")
        self.call(instance, "2 + 2")
        assert len(recorded(instance, "--principal", DEVELOPER)) == 1
        instance.stop()
        assert "✓ whole" in journal(instance, "verify")
        assert "stopped writing" in journal(instance, "tail")

    def bytes_of(self, instance: Instance) -> bytes:
        return b"".join(file.read_bytes() for file in self.database(instance).parent.glob("journal.db*"))
