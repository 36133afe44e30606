"""Client, gateway, agent, gateway and tool are one trace, received over real OTLP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider

from tests.e2e.conftest import SHIPPED
from tests.e2e.instance import Instance, wait_for


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span that it receives, by its id."""

    def __init__(self) -> None:
        self.spans: dict[bytes, Any] = {}

    def Export(self, request: Any, context: Any) -> Any:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.update({span.span_id: span for span in scope.spans})
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    received = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(received, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield received, f"http://127.0.0.1:{port}"
    server.stop(0).wait()


def test_one_trace_from_the_client_to_the_tool(
    start: Callable[..., Instance], collector: tuple[Collector, str]
) -> None:
    received, address = collector
    wanted = [path for path in SHIPPED if path.name != "assistant-classic"]
    instance = start(wanted, telemetry={"otlp": address})
    with (
        TracerProvider().get_tracer("test").start_as_current_span("client") as client_span,
        instance.client() as client,
    ):
        assert "42" in client.invoke("assistant", "What is 6 * 7?")
    wait_for(
        lambda: any(span.name == "execute_tool calculator" for span in received.spans.values()), 15.0, "the tool's span"
    )
    wait_for(
        lambda: any(span.name == "invoke_agent assistant" for span in received.spans.values()), 15.0, "the agent's span"
    )
    tool = next(span for span in received.spans.values() if span.name == "execute_tool calculator")
    root = client_span.get_span_context()
    assert tool.trace_id == root.trace_id.to_bytes(16, "big")
    names, current = [], tool
    while current is not None:
        names.append(current.name)
        parent, current = current.parent_span_id, received.spans.get(current.parent_span_id)
    assert parent == root.span_id.to_bytes(8, "big"), names
    assert "invoke_agent assistant" in names
    attributes = {item.key: item.value.string_value for item in tool.attributes}
    assert attributes["gen_ai.operation.name"] == "execute_tool"
    assert attributes["gen_ai.tool.name"] == "calculator"
