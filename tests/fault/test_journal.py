"""The journal of a real gateway while the worst happens to it: what was answered is on record, and calls go on as promised."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from firebreak.v1 import tool_pb2, tool_pb2_grpc

from tests.contract.edge import details
from tests.contract.gateway_process import reason, request, wait_for
from tests.contract.journal.postgres_server import postgres
from tests.fault.journal_files import Kept, can_mount, full, locked

MOUNTING = pytest.mark.skipif(
    not can_mount(), reason="a full disk is a small file system of our own, which this system does not let us mount"
)
NO_RECORD = {"JOURNAL_UNAVAILABLE", "ANSWER_WITHHELD"}

Make = Callable[..., Kept]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes gateways in folders with short names."""
    made: list[Kept] = []

    def new(journal: str, **settings: Any) -> Kept:
        made.append(Kept(Path(tempfile.mkdtemp(prefix="fb-")), journal, **settings))
        return made[-1]

    yield new
    for each in made:
        each.stop()
        shutil.rmtree(each.folder, ignore_errors=True)


def said(gateway: Kept, channel: grpc.Channel, text: str = "hello") -> str:
    """The id of a call that was answered, or the reason why it was not; "" where the gateway was gone."""
    stub = tool_pb2_grpc.ToolServiceStub(channel)
    try:
        _, call = stub.Call.with_call(request(text), metadata=gateway.bearer(), timeout=20)
    except grpc.RpcError as error:
        return reason(error) if "grpc-status-details-bin" in dict(error.trailing_metadata() or ()) else ""
    return dict(call.trailing_metadata())["firebreak-call-id"]


def is_id(answer: str) -> bool:
    return len(answer) == 32


def call_until(condition: Callable[[str], bool], gateway: Kept, channel: grpc.Channel) -> str:
    found: str = wait_for(lambda: (answer := said(gateway, channel)) and condition(answer) and answer, "such an answer")
    return found


def load(gateway: Kept, answered: list[str], threads: int = 4) -> list[threading.Thread]:
    """Callers who stop when the gateway is gone; `answered` are the ids of their answers."""

    def caller() -> None:
        with gateway.channel() as channel:
            while answer := said(gateway, channel):
                if is_id(answer):
                    answered.append(answer)

    callers = [threading.Thread(target=caller) for _ in range(threads)]
    for each in callers:
        each.start()
    return callers


def test_a_killed_gateway_loses_no_answered_call_where_the_journal_is_required(make: Make) -> None:
    gateway, answered = make("mode: required"), list[str]()
    for _ in range(2):
        process, before = gateway.begin(), len(answered)
        callers = load(gateway, answered)
        wait_for(lambda: len(answered) >= before + 100, "some load")  # noqa: B023 - called at once
        process.kill()
        for each in callers:
            each.join(30)
            assert not each.is_alive()
    gateway.begin()
    recorded = gateway.calls()
    assert set(answered) <= set(recorded)
    assert len(recorded) == len(set(recorded)), "a call is on record twice"
    assert gateway.kinds().count("started") == 3


def test_a_call_that_a_killed_gateway_had_let_through_is_on_record_as_opened(make: Make) -> None:
    gateway = make("mode: required")
    process = gateway.begin()
    with gateway.channel() as channel:
        asked = tool_pb2.ToolServiceStreamRequest(call=request("wait").call)
        stream = tool_pb2_grpc.ToolServiceStub(channel).Stream(asked, metadata=gateway.bearer(), timeout=20)
        assert next(stream).seq == 1
        process.kill()
        with pytest.raises(grpc.RpcError):
            list(stream)
    kinds = [header[3] for _, _, header in gateway.rows() if header[8].endswith("ToolService/Stream")]
    assert kinds == ["opened"]


def test_a_stopped_gateway_loses_no_call_at_all(make: Make) -> None:
    gateway, answered = make("mode: best-effort"), list[str]()
    process = gateway.begin()
    callers = load(gateway, answered)
    wait_for(lambda: len(answered) >= 100, "some load")
    process.terminate()
    assert process.wait(30) == 0
    for each in callers:
        each.join(30)
    assert set(answered) <= set(gateway.calls())
    assert gateway.kinds()[-1] == "stopped"


@MOUNTING
def test_a_full_disk_stops_calls_where_the_journal_is_required_until_there_is_room(make: Make) -> None:
    gateway = make("mode: required, timeout: 500ms", on_a_disk_of="2m")
    gateway.begin()
    with gateway.channel() as channel:
        answered = [call_until(is_id, gateway, channel)]
        with full(gateway.files):
            assert call_until(lambda answer: not is_id(answer), gateway, channel) in NO_RECORD
            assert call_until(lambda answer: answer == "JOURNAL_UNAVAILABLE", gateway, channel)
            assert gateway.journal()["failing"]
            status, body = gateway.get("/readyz")
            assert (status, "journal" in body) == (503, True)
        answered.append(call_until(is_id, gateway, channel))
        assert gateway.get("/readyz")[0] == 200
    assert set(answered) <= set(gateway.calls())


@MOUNTING
def test_a_full_disk_stops_no_call_in_best_effort_and_what_was_lost_is_told(make: Make) -> None:
    gateway = make("buffer: 128KiB", on_a_disk_of="2m")
    gateway.begin()
    with gateway.channel() as channel:
        with full(gateway.files):
            wait_for(lambda: said(gateway, channel) and gateway.journal()["lost"] >= 3, "calls are lost")
            assert is_id(call_until(is_id, gateway, channel))
            assert gateway.get("/readyz")[0] == 200
            assert gateway.journal()["queued_bytes"] <= 128 * 1024
        wait_for(lambda: not gateway.journal()["failing"] and not gateway.journal()["queued"], "it is written again")
    lost = gateway.journal()["lost"]
    told = [header[12] for _, _, header in gateway.rows() if header[3] == "lost"]
    assert sum(facts["count"] for facts in told) == lost
    assert all(facts["since"] <= facts["until"] for facts in told)


def test_a_store_that_another_process_holds_delays_no_call_in_best_effort(make: Make) -> None:
    gateway = make("mode: best-effort")
    gateway.begin()
    with gateway.channel() as channel:
        first = call_until(is_id, gateway, channel)
        wait_for(lambda: first in gateway.calls(), "the call is on record")
        with locked(gateway.files / "journal.db"):
            before = time.monotonic()
            answered = [call_until(is_id, gateway, channel) for _ in range(50)]
            took = time.monotonic() - before
            assert gateway.journal()["queued_bytes"] > 0
        # Had one of them waited for the lock, it would have waited for all of the store's patience.
        assert took < 4
        wait_for(lambda: set(answered) <= set(gateway.calls()), "they are on record")
    assert gateway.journal()["lost"] == 0


def test_a_required_journal_that_another_process_holds_is_waited_for_no_longer_than_allowed(make: Make) -> None:
    gateway = make("mode: required, timeout: 300ms")
    gateway.begin()
    with gateway.channel() as channel:
        call_until(is_id, gateway, channel)
        with locked(gateway.files / "journal.db"):
            before = time.monotonic()
            assert said(gateway, channel) in NO_RECORD
            assert time.monotonic() - before < 4
        call_until(is_id, gateway, channel)


def test_a_withheld_answer_says_so_and_not_that_it_may_be_repeated(make: Make) -> None:
    gateway = make("mode: required, timeout: 100ms")
    gateway.begin()
    with locked(gateway.files / "journal.db"):
        error = gateway.say("hello")
        assert error.code() is grpc.StatusCode.DATA_LOSS
        assert (reason(error), "RetryInfo" in details(error)) == ("ANSWER_WITHHELD", False)


@pytest.mark.parametrize("mode", ["required, timeout: 500ms", "best-effort"])
def test_a_database_server_that_is_gone_for_a_while_costs_no_answered_call(make: Make, mode: str) -> None:
    with postgres() as server:
        gateway = make(f"mode: {mode}, store: postgresql, dsn_file: dsn")
        (gateway.folder / "dsn").write_text(dsn := server.database())
        gateway.begin()
        with gateway.channel() as channel:
            answered = [call_until(is_id, gateway, channel)]
            wait_for(lambda: gateway.journal()["written"], "the call is on record")
            server.stop()
            if mode.startswith("required"):
                assert said(gateway, channel) in NO_RECORD
                wait_for(lambda: said(gateway, channel) == "JOURNAL_UNAVAILABLE", "calls are refused")
            else:
                answered += [said(gateway, channel) for _ in range(20)]
                wait_for(lambda: gateway.journal()["failing"], "the journal says so")
            server.start()
            answered.append(call_until(is_id, gateway, channel))
            wait_for(lambda: set(answered) <= on_record(dsn), "they are on record")
        assert all(map(is_id, answered))
        assert gateway.journal()["lost"] == 0


def on_record(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        headers = [json.loads(text) for (text,) in connection.execute("SELECT header::text FROM firebreak.rows")]
    return {header[4] for header in headers if header[3] == "call"}
