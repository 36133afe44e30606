"""Client, gateway, agent, gateway, tool: one trace, with the names of the GenAI conventions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gateway.adapters.telemetry.spans import Spans
from gateway.call import Call, View
from gateway.errors import CallError, Code, Reason
from gateway.routes import METHODS
from gateway.service import Finish
from tests.unit.gateway.chain_fakes import START, TOOL_CALL, TOOL_DESCRIBE, authenticated, call
from tests.unit.gateway.routed_fakes import method_of, orders

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"


class World:
    """Spans, and what was exported."""

    def __init__(self, sample: float = 1.0) -> None:
        self.exporter = InMemorySpanExporter()
        self.spans = Spans(SimpleSpanProcessor(self.exporter), sample, "0.1.0", lambda: START)

    def exported(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.spans.close()


def incoming(
    method: Any = TOOL_CALL, parent: str | None = PARENT, target: str = "calculator", name: str = "c1"
) -> Call:
    metadata = () if parent is None else (("traceparent", parent),)
    view = View(target, tool_call_id="call-7" if method is TOOL_CALL else "")
    return replace(authenticated(call(method, metadata=metadata)), id=name, view=view)


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    context = span.get_span_context()
    assert context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent else None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", parent


def test_a_call_and_its_attempt_join_the_callers_trace(world: World) -> None:
    made = incoming()
    made.facts.principal, made.facts.target, made.facts.decision = "user:developer", "calculator", "d1"
    world.spans.started(made)
    attempt = world.spans.attempt(made)
    attempt.end(Finish())
    world.spans.ended(made, Code.OK, "")
    server = world.exported()["firebreak.v1.ToolService/Call"]
    client = world.exported()["execute_tool calculator"]
    assert (server.kind, client.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert ids(server)[::2] == (TRACE, CALLER)
    assert ids(client)[::2] == (TRACE, ids(server)[1])
    assert attempt.metadata == (("traceparent", f"00-{TRACE}-{ids(client)[1]}-01"),)
    assert dict(client.attributes or {}) == {
        "rpc.system": "grpc",
        "rpc.service": "firebreak.v1.ToolService",
        "rpc.method": "Call",
        "rpc.grpc.status_code": 0,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "calculator",
        "gen_ai.tool.call.id": "call-7",
        "gen_ai.conversation.id": "s" * 32,
    }
    assert dict(server.attributes or {})["firebreak.decision_id"] == "d1"


def test_a_child_call_continues_under_its_parents_attempt(world: World) -> None:
    agent = incoming(METHODS["/firebreak.v1.AgentService/Run"], target="assistant", name="c1")
    world.spans.started(agent)
    attempt = world.spans.attempt(agent)
    child = incoming(parent=str(dict(attempt.metadata)["traceparent"]), name="c2")
    world.spans.started(child)
    world.spans.ended(child, Code.OK, "")
    attempt.end(Finish())
    world.spans.ended(agent, Code.OK, "")
    spans = world.exported()
    assert ids(spans["firebreak.v1.ToolService/Call"])[::2] == (TRACE, ids(spans["invoke_agent assistant"])[1])


@pytest.mark.parametrize(
    ("method", "name", "attribute"),
    [
        ("AgentService/Invoke", "invoke_agent x", "gen_ai.agent.name"),
        ("ToolService/Stream", "execute_tool x", "gen_ai.tool.name"),
        ("ModelService/Generate", "chat x", "gen_ai.request.model"),
        ("EmbeddingService/Embed", "embeddings x", "gen_ai.request.model"),
        ("RetrieverService/Retrieve", "retrieval x", "gen_ai.data_source.id"),
    ],
)
def test_names_are_those_of_the_conventions(world: World, method: str, name: str, attribute: str) -> None:
    made = incoming(METHODS[f"/firebreak.v1.{method}"], target="x")
    world.spans.started(made)
    world.spans.attempt(made).end(Finish())
    attributes = dict(world.exported()[name].attributes or {})
    assert attributes[attribute] == "x"
    assert attributes["gen_ai.operation.name"] == name.split()[0]


@pytest.mark.parametrize(
    ("described", "method", "name"),
    [(False, "/acme.Orders/MadeUp", "acme.Orders/*"), (True, "/acme.Orders/Get", "acme.Orders/Get")],
)
def test_methods_that_nobody_has_described_share_a_name(world: World, described: bool, method: str, name: str) -> None:
    made = incoming(method_of(orders(described), method), target="orders")
    world.spans.started(made)
    world.spans.attempt(made).end(Finish())
    world.spans.ended(made, Code.OK, "")
    spans = world.exporter.get_finished_spans()
    assert [span.name for span in spans] == [name, name]
    for span in spans:
        assert (span.attributes or {})["rpc.method"] == method.rpartition("/")[2]
        assert not any(key.startswith("gen_ai.operation") for key in span.attributes or {})


def test_describe_is_no_operation_of_an_agent(world: World) -> None:
    made = incoming(TOOL_DESCRIBE)
    world.spans.started(made)
    world.spans.attempt(made).end(Finish())
    assert "gen_ai.operation.name" not in (world.exported()["describe calculator"].attributes or {})


@pytest.mark.parametrize(
    ("outcome", "error_type"),
    [
        (CallError(Reason.CIRCUIT_OPEN, "rest"), "CIRCUIT_OPEN"),
        (Finish(Code.NOT_FOUND), "NOT_FOUND"),
        (asyncio.CancelledError(), "CANCELLED"),
    ],
)
def test_a_failed_attempt_says_why(world: World, outcome: Any, error_type: str) -> None:
    made = incoming()
    world.spans.started(made)
    world.spans.attempt(made).end(outcome)
    span = world.exported()["execute_tool calculator"]
    assert (span.attributes or {})["error.type"] == error_type
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(("code", "failed"), [(Code.PERMISSION_DENIED, False), (Code.INTERNAL, True)])
def test_a_callers_fault_is_no_fault_of_the_gateway(world: World, code: Code, failed: bool) -> None:
    made = incoming()
    world.spans.started(made)
    world.spans.ended(made, code, "X")
    assert (world.exported()["firebreak.v1.ToolService/Call"].status.status_code is StatusCode.ERROR) is failed


def test_a_call_without_a_trace_starts_one(world: World) -> None:
    made = incoming(parent=None)
    world.spans.started(made)
    world.spans.ended(made, Code.OK, "")
    assert ids(world.exported()["firebreak.v1.ToolService/Call"])[2] is None


def test_what_the_caller_does_not_sample_is_passed_on_unsampled(world: World) -> None:
    made = incoming(parent=PARENT[:-2] + "00")
    world.spans.started(made)
    attempt = world.spans.attempt(made)
    attempt.end(Finish())
    world.spans.ended(made, Code.OK, "")
    assert world.exported() == {}
    assert str(attempt.metadata[0][1]).startswith(f"00-{TRACE}-")
    assert str(attempt.metadata[0][1]).endswith("-00")


def test_the_share_of_new_traces_is_kept_to() -> None:
    world = World(sample=0.0)
    made = incoming(parent=None)
    world.spans.started(made)
    world.spans.ended(made, Code.OK, "")
    assert world.exported() == {}
    world.spans.close()


def test_the_callers_trace_state_goes_on(world: World) -> None:
    made = incoming()
    made = replace(made, metadata=(*made.metadata, ("tracestate", "vendor=1")))
    world.spans.started(made)
    assert dict(world.spans.attempt(made).metadata)["tracestate"] == "vendor=1"
