"""A call is counted, logged and traced once, and a broken record does not break the call."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from gateway.adapters.telemetry.lines import LineWriter
from gateway.adapters.telemetry.recorder import CallRecorder, Record, make_record
from gateway.adapters.telemetry.tracing import Untraced
from gateway.call import Attempt
from gateway.config import Telemetry
from gateway.errors import CallError, Code, Reason
from gateway.routes import METHODS
from gateway.service import Finish
from tests.unit.gateway.chain_fakes import START, call

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class World:
    """A record, and the lines that it wrote."""

    def __init__(self, **settings: Any) -> None:
        self.written: list[bytes] = []
        self.record: Record = make_record(
            Telemetry.model_validate(settings),
            in_flight=lambda: 0,
            breaker_states=dict,
            journal=dict,
            lines=LineWriter(self.written.append),
            version="0.1.0",
            clock=lambda: START + 0.5,
        )

    def lines(self) -> list[dict[str, Any]]:
        self.record.close()
        return [orjson.loads(line) for line in b"".join(self.written).splitlines()]


def test_a_call_is_on_record_everywhere_and_once() -> None:
    world, made = World(), call(metadata=(("traceparent", PARENT),))
    made.facts.target = "calculator"
    recorder = world.record.recorder
    recorder.started(made)
    attempt = recorder.attempt(made)
    assert attempt.metadata == (("traceparent", PARENT),)
    attempt.end(Finish())
    made.facts.attempts.append(Attempt(0.4, Code.OK))
    recorder.ended(made, Finish())
    assert b'code="OK"' in world.record.metrics.render()
    summary = world.record.latencies.summary("calculator")
    assert (summary.calls, summary.errors, summary.p50) == (1, 0, 0.5)
    assert [line["code"] for line in world.lines()] == ["OK"]


def test_describing_a_target_is_no_call_of_it() -> None:
    world, made = World(), call(METHODS["/firebreak.v1.ToolService/Describe"])
    made.facts.target = "calculator"
    world.record.recorder.ended(made, Finish())
    assert world.record.latencies.summary("calculator").calls == 0
    assert b'action="describe"' in world.record.metrics.render()


def test_a_call_to_nowhere_is_counted_and_logged() -> None:
    world = World()
    world.record.recorder.ended(call(), CallError(Reason.TARGET_UNKNOWN, "no such target"))
    assert b'reason="TARGET_UNKNOWN",target="-"' in world.record.metrics.render()
    assert [line["reason"] for line in world.lines()] == ["TARGET_UNKNOWN"]


def test_spans_are_made_only_where_they_are_exported() -> None:
    world = World()
    assert isinstance(world.record.tracing, Untraced)
    world.record.close()


def test_an_address_for_spans_turns_them_on() -> None:
    world = World(otlp="http://127.0.0.1:9", sample=0.0)
    assert not isinstance(world.record.tracing, Untraced)
    made = call()
    world.record.recorder.started(made)
    world.record.recorder.ended(made, Finish())
    assert len(world.lines()) == 1


class Broken:
    """Whatever is asked of it fails."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("broken")


def test_a_broken_record_does_not_break_the_call(caplog: pytest.LogCaptureFixture) -> None:
    broken: Any = Broken()
    recorder = CallRecorder(broken, broken, broken, broken, lambda: START)
    made = call(metadata=(("traceparent", PARENT),))
    with caplog.at_level(logging.ERROR):
        recorder.started(made)
        assert recorder.attempt(made).metadata == (("traceparent", PARENT),)
        recorder.ended(made, Finish())
    assert [entry.message for entry in caplog.records] == [
        "a call could not be traced",
        "an attempt could not be traced",
        "a call could not be put on record",
    ]
