"""Spans reach a real OTLP collector over gRPC."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from gateway.adapters.telemetry.lines import LineWriter
from gateway.adapters.telemetry.recorder import Record, make_record
from gateway.call import View
from gateway.config import Telemetry
from gateway.service import Finish
from tests.unit.gateway.chain_fakes import START, authenticated, call


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes what is exported to it."""

    def __init__(self) -> None:
        self.requests: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def Export(self, request: Any, context: Any) -> Any:
        self.requests.put(request)
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, int]]:
    taking = Collector()
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(taking, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield taking, port
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
