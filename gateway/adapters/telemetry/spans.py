"""OpenTelemetry spans: one SERVER span a call, one CLIENT span an attempt, joined by W3C trace headers.

The names and attributes of attempts are those of the GenAI semantic conventions. Imported only where spans are exported: the
SDK takes long to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.adapters.telemetry.tracing import TRACEPARENT, TRACESTATE, trace_headers
from gateway.call import Call, Metadata
from gateway.errors import CallError, Code
from gateway.outcomes import FAULTS, classify
from gateway.ports import AttemptRecord, Clock
from gateway.routes import Action, Kind
from gateway.service import Finish

_OPERATIONS = {
    Kind.AGENT: ("invoke_agent", "gen_ai.agent.name"),
    Kind.TOOL: ("execute_tool", "gen_ai.tool.name"),
    Kind.MODEL: ("chat", "gen_ai.request.model"),
    Kind.EMBEDDING: ("embeddings", "gen_ai.request.model"),
    Kind.RETRIEVER: ("retrieval", "gen_ai.data_source.id"),
}
"""GenAI operation of each kind of target, and the attribute that holds the target's name."""

_PROPAGATOR = TraceContextTextMapPropagator()


class Spans:
    """Makes spans and hands them to `processor`; `sample` is the share of traces kept where the caller has not decided."""

    def __init__(self, processor: SpanProcessor, sample: float, version: str, clock: Clock) -> None:
        resource = Resource.create({"service.name": "firebreak-gateway", "service.version": version})
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(sample)), resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("firebreak.gateway", version)
        self._clock = clock
        self._calls: dict[str, Span] = {}

    def started(self, call: Call) -> None:
        # Never the ambient context: a call's parent is what its caller sent.
        parent = _PROPAGATOR.extract(dict(trace_headers(call)), context=Context())
        self._calls[call.id] = self._tracer.start_span(
            _name(call),
            context=parent,
            kind=SpanKind.SERVER,
            attributes={**_rpc(call), "firebreak.call_id": call.id},
        )

    def attempt(self, call: Call) -> AttemptRecord:
        parent = set_span_in_context(self._calls[call.id], Context())
        name, attributes = _attempted(call)
        span = self._tracer.start_span(name, context=parent, kind=SpanKind.CLIENT, attributes=attributes)
        return _Attempt(span, call, self._clock)

    def ended(self, call: Call, code: Code, reason: str) -> None:
        span, facts = self._calls.pop(call.id, INVALID_SPAN), call.facts
        if span.is_recording():
            span.set_attributes(
                {
                    "firebreak.principal": facts.principal,
                    "firebreak.target": facts.target,
                    "firebreak.decision_id": facts.decision,
                    "gen_ai.conversation.id": facts.session,
                }
            )
        _end(span, code, reason, failed=code in FAULTS)

    def close(self) -> None:
        self._provider.shutdown()


@dataclass(frozen=True, slots=True)
class _Attempt:
    span: Span
    call: Call
    clock: Clock

    @property
    def metadata(self) -> Metadata:
        context = self.span.get_span_context()
        parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        state = context.trace_state.to_header()
        return ((TRACEPARENT, parent), (TRACESTATE, state)) if state else ((TRACEPARENT, parent),)

    def end(self, finish: Finish | CallError | BaseException) -> None:
        code, reason = classify(finish, self.call.deadline, self.clock())
        _end(self.span, code, reason, failed=code is not Code.OK)


def _end(span: Span, code: Code, reason: str, *, failed: bool) -> None:
    if span.is_recording():
        span.set_attribute("rpc.grpc.status_code", int(code))
        if failed:
            span.set_attribute("error.type", reason or code.name)
            span.set_status(Status(StatusCode.ERROR))
    span.end()


def _name(call: Call) -> str:
    """A span's name is one of few: of methods that nobody has described, the pattern that they are routed by."""
    return (call.method.label or call.method.name)[1:]


def _rpc(call: Call) -> dict[str, str]:
    service, _, method = call.method.name[1:].partition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}


def _attempted(call: Call) -> tuple[str, dict[str, Any]]:
    """Name and attributes of an attempt's span."""
    attributes: dict[str, Any] = _rpc(call)
    view, kind = call.view, call.method.kind
    assert view is not None
    assert kind is not None
    if call.method.action is not Action.CALL:
        return f"describe {view.target}", attributes
    if kind is Kind.SERVICE:
        return _name(call), attributes
    operation, name = _OPERATIONS[kind]
    attributes.update({"gen_ai.operation.name": operation, name: view.target})
    if view.tool_call_id:
        attributes["gen_ai.tool.call.id"] = view.tool_call_id
    if call.session is not None:
        attributes["gen_ai.conversation.id"] = call.session.id
    return f"{operation} {view.target}", attributes


def exported(address: str, sample: float, version: str, clock: Clock) -> Spans:
    """Spans that go to the OTLP collector at `address` ("http://…" or "https://…", gRPC), in batches, in another thread."""
    from gateway.adapters.telemetry.batches import Batches

    return Spans(Batches(address), sample, version, clock)
