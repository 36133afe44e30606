"""The gateway as a process with all its real parts: started, called, drained and told off for its configuration."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from firebreak.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    decision_pb2,
    decision_pb2_grpc,
    tool_pb2,
    tool_pb2_grpc,
)

from tests.contract.edge import details
from tests.contract.gateway_process import START, Gateway, reason, request, wait_for


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """One running gateway for the tests that leave it as it was."""
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    made = Gateway(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.fixture
def own(sockets: Path) -> Iterator[Gateway]:
    """A gateway of the test's own, not started."""
    made = Gateway(sockets)
    yield made
    made.stop()


def test_it_is_ready_and_tells_its_state(gateway: Gateway) -> None:
    assert gateway.get("/healthz") == (200, "ok\n")
    assert gateway.get("/readyz")[0] == 200
    report = json.loads(gateway.get("/status")[1])
    assert report["gateway"]["policy"]["engine"] == "embedded"
    assert len(report["gateway"]["policy"]["revision"]) == 64
    row = report["services"][0]
    assert (row["name"], row["kind"], row["version"], row["breaker"]) == ("echo", "tool", "1.0.0", "CLOSED")
    assert row["proof"]["promises"] == [{"name": "deny:stranger", "verdict": "held", "detail": ""}]
    assert {each["verdict"] for each in report["gateway"]["proof"]["promises"]} == {"held"}


def test_an_authorized_call_is_answered_and_on_record(gateway: Gateway) -> None:
    assert gateway.say("hello") == "hello"
    row = gateway.service()
    assert row["calls"] >= 1
    assert row["p50_ms"] > 0
    assert 'firebreak_calls_total{action="call",code="OK"' in gateway.get("/metrics")[1]
    line = wait_for(lambda: _answered(gateway.folder / "log"), "a line of the call")[-1]
    assert (line["target"], line["principal"], line["rules"]) == ("echo", "user:developer", ["developers"])
    assert line["attempts"][0]["code"] == "OK"


def _answered(log: Path) -> list[dict[str, Any]]:
    """The lines of tool calls that were answered."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"call_id"' in line]
    return [line for line in lines if line["code"] == "OK" and line["method"].endswith("ToolService/Call")]


def test_every_call_is_in_the_journal_even_one_of_an_unknown_method(gateway: Gateway) -> None:
    assert gateway.say("journal me") == "journal me"
    with gateway.channel() as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/firebreak.v1.ToolService/Nonsense")(b"", timeout=10)
    with gateway.channel() as channel:
        stub = catalog_pb2_grpc.CatalogServiceStub(channel)
        stub.List(catalog_pb2.CatalogServiceListRequest(), metadata=gateway.bearer())
    expected = {
        ("/firebreak.v1.ToolService/Call", "OK", ""),
        ("/firebreak.v1.ToolService/Nonsense", "UNIMPLEMENTED", "METHOD_UNKNOWN"),
        ("/firebreak.v1.CatalogService/List", "OK", ""),
    }
    wait_for(lambda: expected <= _recorded(gateway), "the calls are in the journal")
    journal = json.loads(gateway.get("/status")[1])["journal"]
    assert (journal["mode"], journal["store"], journal["failing"]) == ("best-effort", "sqlite", "")
    assert journal["written"] >= 3
    assert "firebreak_journal_lost_total 0.0" in gateway.get("/metrics")[1]


def _recorded(gateway: Gateway) -> set[tuple[str, str, str]]:
    """Method, outcome and reason of the calls on record."""
    with closing(sqlite3.connect(gateway.folder / ".firebreak/journal/journal.db")) as database:
        headers = [json.loads(header) for (header,) in database.execute("SELECT header FROM rows")]
    return {(header[8], header[9], header[10]) for header in headers if header[3] == "call"}


def test_without_a_journal_calls_are_served_and_nothing_is_kept(own: Gateway) -> None:
    file = own.folder / "firebreak.yaml"
    file.write_text(file.read_text() + "journal: {mode: none}\n")
    own.start()
    assert own.say("hello") == "hello"
    assert json.loads(own.get("/status")[1])["journal"] == {"mode": "none"}
    assert not (own.folder / ".firebreak").exists()


def test_a_client_certificate_is_a_credential_too(gateway: Gateway) -> None:
    with gateway.mtls_channel() as channel:
        assert gateway.say("hello", channel, metadata=()) == "hello"


def test_credentials_never_reach_the_service(gateway: Gateway) -> None:
    told = gateway.say("metadata", metadata=(*gateway.bearer(), ("x-own", "1"), ("cookie", "2")))
    keys = set(json.loads(told))
    assert "x-own" in keys
    assert not keys & {"authorization", "cookie", "firebreak-session"}


def test_a_stream_arrives_whole(gateway: Gateway) -> None:
    with gateway.channel() as channel:
        stub = tool_pb2_grpc.ToolServiceStub(channel)
        call = tool_pb2.ToolServiceStreamRequest(call=request("hello").call)
        events = list(stub.Stream(call, metadata=gateway.bearer()))
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert events[-1].result.content[0].text == "hello"


def test_a_denial_can_be_explained(gateway: Gateway) -> None:
    denied = gateway.say("forbidden")
    info = details(denied)["ErrorInfo"]
    assert (denied.code(), info.reason) == (grpc.StatusCode.PERMISSION_DENIED, "POLICY_DENIED")
    assert (info.metadata["rule"], info.metadata["field"]) == ("developers", "args.text")
    with gateway.channel() as channel:
        stub = decision_pb2_grpc.DecisionServiceStub(channel)
        asked = decision_pb2.DecisionServiceExplainRequest(decision_id=info.metadata["decision_id"])
        decision = stub.Explain(asked, metadata=gateway.bearer()).decision
        assert not decision.allow
        assert b"forbidden" not in decision.input_json
        with pytest.raises(grpc.RpcError) as caught:
            stub.Explain(asked, metadata=gateway.bearer(gateway.stranger))
    assert reason(caught.value) == "TARGET_UNKNOWN"


def test_the_catalogue_shows_what_one_may_call(gateway: Gateway) -> None:
    with gateway.channel() as channel:
        stub = catalog_pb2_grpc.CatalogServiceStub(channel)
        asked = catalog_pb2.CatalogServiceListRequest()
        assert [target.name for target in stub.List(asked, metadata=gateway.bearer()).targets] == ["echo"]
        assert not stub.List(asked, metadata=gateway.bearer(gateway.stranger)).targets


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ((), "CREDENTIALS_MISSING"),
        ((("authorization", "Bearer nonsense"),), "CREDENTIALS_INVALID"),
        ((("authorization", "Basic YTpi"),), "CREDENTIALS_INVALID"),
    ],
)
def test_without_good_credentials_nothing_is_answered(
    gateway: Gateway, metadata: tuple[tuple[str, str], ...], expected: str
) -> None:
    error = gateway.say("hello", metadata=metadata)
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAUTHENTICATED, expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xff\xff\xff", "REQUEST_MALFORMED"),
        (
            tool_pb2.ToolServiceCallRequest(call=tool_pb2.ToolCall(target="nope", args_json=b"{}")).SerializeToString(),
            "TARGET_UNKNOWN",
        ),
        (
            tool_pb2.ToolServiceCallRequest(
                call=tool_pb2.ToolCall(target="echo", args_json=b'{"text": 5}')
            ).SerializeToString(),
            "ARGUMENTS_INVALID",
        ),
        (
            tool_pb2.ToolServiceCallRequest(
                call=tool_pb2.ToolCall(target="echo", args_json=b'{"text": "' + b"x" * 10_000_000 + b'"}')
            ).SerializeToString(),
            "REQUEST_TOO_LARGE",
        ),
    ],
)
def test_bad_input_gets_a_clear_error(gateway: Gateway, body: bytes, expected: str) -> None:
    with gateway.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/firebreak.v1.ToolService/Call")(body, metadata=gateway.bearer())
    assert reason(caught.value) == expected


def test_a_service_that_dies_is_noticed_and_found_again(own: Gateway) -> None:
    own.start()
    assert reason(own.say("die")) in ("TARGET_UNAVAILABLE", "TARGET_NOT_READY")
    wait_for(lambda: own.service()["state"] == "not_ready", "the death is noticed")
    error = own.say("hello")
    assert reason(error) == "TARGET_NOT_READY"
    own.start_service()
    wait_for(lambda: own.service()["state"] == "ready", "the service is back")
    assert own.say("hello") == "hello"


def test_sigterm_refuses_new_calls_and_lets_those_in_flight_finish(own: Gateway) -> None:
    process = own.start()
    with own.channel() as channel:
        stub = tool_pb2_grpc.ToolServiceStub(channel)
        flying = stub.Call.future(request("wait"), metadata=own.bearer(), timeout=30)
        wait_for((own.folder / "waiting").exists, "the call is in flight")
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: own.get("/readyz")[0] == 503, "readiness is off")
        assert reason(own.say("hello")) == "DRAINING"
        (own.folder / "release").touch()
        assert flying.result(timeout=30).result.content[0].text == "wait"
    assert process.wait(30) == 0


def test_calls_that_outlast_the_drain_are_cut_off(own: Gateway) -> None:
    file = own.folder / "firebreak.yaml"
    file.write_text(file.read_text().replace("drain: 5s", "drain: 200ms"))
    process = own.start()
    with own.channel() as channel:
        flying = tool_pb2_grpc.ToolServiceStub(channel).Call.future(request("wait"), metadata=own.bearer(), timeout=30)
        wait_for((own.folder / "waiting").exists, "the call is in flight")
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert time.monotonic() - told < 4.0  # the configuration that it was made with would have waited for 5 s
        assert flying.exception(timeout=15) is not None
    assert "did not end in time" in (own.folder / "log").read_text()


def test_the_same_signal_twice_kills(own: Gateway) -> None:
    process = own.start()
    with own.channel() as channel:
        flying = tool_pb2_grpc.ToolServiceStub(channel).Call.future(request("wait"), metadata=own.bearer(), timeout=30)
        wait_for((own.folder / "waiting").exists, "the call is in flight")
        process.send_signal(signal.SIGINT)
        wait_for(lambda: own.get("/readyz")[0] == 503, "it drains")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT
        assert flying.exception(timeout=30) is not None


def ended(own: Gateway, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and printed lines of a gateway that does not stay."""
    command = [sys.executable, "-m", "gateway", "--config", "firebreak.yaml", *arguments]
    done = subprocess.run(
        command, cwd=own.folder, capture_output=True, text=True, timeout=START, env=os.environ, check=False
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_check_says_that_all_is_right(own: Gateway) -> None:
    assert ended(own, "--check") == (0, ["the configuration is right: 1 services, 2 listeners"])


def test_check_says_what_is_wrong_with_file_and_line(own: Gateway) -> None:
    text = (own.folder / "firebreak.yaml").read_text()
    (own.folder / "firebreak.yaml").write_text(text.replace("drain: 5s", "drain: 5\ndrian: 5s"))
    code, lines = ended(own, "--check")
    assert code == 2
    assert lines == [
        'firebreak.yaml:24: drain: a duration is written like "250ms", "10s", "2m", "1h" or "30d"',
        "firebreak.yaml:25: drian: is no known key; did you mean drain?",
    ]


def test_a_named_file_that_is_not_there_is_told_with_its_line(own: Gateway) -> None:
    (own.folder / "identity" / "gateway.crt").unlink()
    for arguments in (("--check",), ()):
        code, lines = ended(own, *arguments)
        assert (code, lines) == (
            2,
            ["firebreak.yaml:10: listeners[1].tls.certificate: there is no file identity/gateway.crt"],
        )


def test_an_address_in_use_is_told_with_its_line(own: Gateway) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", own.mtls))
        taken.listen()
        code, lines = ended(own)
    assert code == 2
    assert lines[-1].startswith("firebreak.yaml:7: listeners[1].address: cannot listen on 127.0.0.1")


def test_a_policy_that_does_not_load_keeps_the_gateway_from_starting(own: Gateway) -> None:
    (own.folder / "policies/firebreak/main/decision.rego").write_text("package firebreak.main\n\nallow if {\n")
    code, lines = ended(own)
    assert code == 2
    assert any(line.startswith("firebreak.yaml:23: policy.path: ") for line in lines)
    assert any("decision.rego:" in line for line in lines)
