"""Spans reach a real OTLP collector over gRPC."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from gateway.adapters.telemetry import batches
from gateway.adapters.telemetry.lines import LineWriter
from gateway.adapters.telemetry.recorder import Record, make_record
from gateway.call import View
from gateway.config import Telemetry
from gateway.service import Finish
from tests.unit.gateway.chain_fakes import START, authenticated, call


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes what is exported to it, and answers while `goes_on`."""

    def __init__(self) -> None:
        self.requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.goes_on = threading.Event()
        self.goes_on.set()

    def Export(self, request: Any, context: Any) -> Any:
        self.requests.put(request)
        self.goes_on.wait()
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, int]]:
    taking = Collector()
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(taking, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield taking, port
    taking.goes_on.set()
    server.stop(None).wait()


def record(port: int) -> Record:
    return make_record(
        Telemetry(otlp=f"http://127.0.0.1:{port}"),
        in_flight=lambda: 0,
        breaker_states=dict,
        journal=dict,
        lines=LineWriter(lambda data: None),
        version="0.1.0",
        clock=lambda: START,
    )


def one_call(to: Record) -> None:
    made = replace(authenticated(call()), view=View("calculator"))
    to.recorder.started(made)
    to.recorder.attempt(made).end(Finish())
    to.recorder.ended(made, Finish())


def test_a_call_and_its_attempt_arrive(collector: tuple[Collector, int]) -> None:
    taking, port = collector
    made = record(port)
    one_call(made)
    made.close()
    exported = taking.requests.get(timeout=10).resource_spans[0]
    names = {span.name for scope in exported.scope_spans for span in scope.spans}
    assert names == {"firebreak.v1.ToolService/Call", "execute_tool calculator"}
    assert ("service.name", "firebreak-gateway") in {
        (attribute.key, attribute.value.string_value) for attribute in exported.resource.attributes
    }


def test_a_collector_that_hangs_does_not_hold_up_the_end(
    collector: tuple[Collector, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "END", 0.2)
    taking, port = collector
    taking.goes_on.clear()
    made = record(port)
    for _ in range(1024):  # as many spans as wait at most, in four batches
        one_call(made)
    started = time.monotonic()
    made.close()
    assert time.monotonic() - started < 6, "less than two of the batches may take"
    assert not taking.requests.empty()
