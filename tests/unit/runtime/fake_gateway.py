"""A gRPC server in the test's process that stands for the gateway: it serves objects, fails as told, and keeps what it saw."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from firebreak_runtime.context import CallContext, current
from firebreak_runtime.errors import CODES, ServedError
from firebreak_runtime.served import Served
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

Answer = Callable[[bytes, grpc.ServicerContext], Iterable[bytes]]


@dataclass
class Seen:
    """One call that came in."""

    method: str
    request: bytes
    metadata: dict[str, str]
    remaining: float
    cancelled: threading.Event = field(default_factory=threading.Event)


class FakeGateway(grpc.GenericRpcHandler):
    """Answers by full method name, e.g. "/firebreak.v1.ToolService/Call"."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[Seen] = []
        self.answers: dict[str, Answer] = {}
        self.token_file = folder / "token"
        self.token_file.write_text("token-1\n")
        self.address = f"unix:{folder / 'gateway.sock'}"
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(self.address)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def serve(self, service: str, served: Served) -> None:
        """Serves an object as its worker would: every method of the service, in the mode that the object has."""
        methods = {
            "ToolService": ("Call", "Stream"),
            "ModelService": ("Generate", "Stream"),
            "AgentService": ("Invoke", "Run"),
            "RetrieverService": ("Retrieve",),
            "EmbeddingService": ("Embed",),
        }
        prefix = f"/firebreak.v1.{service}/"
        self.answers[prefix + "Describe"] = lambda request, context: [served.describe()]
        for method in methods[service]:
            self.answers[prefix + method] = _served_answer(served, method)

    def fail(self, method: str, reason: str, message: str = "a safe message", **details: Any) -> None:
        """Every call of `method` ends with this reason."""
        self.answers[method] = lambda request, context: abort(context, status(reason, message, **details))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = handler_call_details.method
        metadata = {key: value for key, value in handler_call_details.invocation_metadata if isinstance(value, str)}

        def answer(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            seen = Seen(method, request, metadata, context.time_remaining() or 0.0)
            context.add_callback(seen.cancelled.set)
            self.seen.append(seen)
            if method not in self.answers:
                abort(context, status("TARGET_UNKNOWN", "there is no such target"))
            yield from self.answers[method](request, context)

        if method.endswith(("/Stream", "/Run")):
            return grpc.unary_stream_rpc_method_handler(answer)
        return grpc.unary_unary_rpc_method_handler(lambda request, context: next(iter(answer(request, context))))


def status(
    reason: str,
    message: str = "a safe message",
    *,
    metadata: dict[str, str] | None = None,
    fields: tuple[tuple[str, str], ...] = (),
    retry_after: float | None = None,
) -> status_pb2.Status:
    """A status with the details that the gateway sends."""
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=reason, domain="firebreak.dev", metadata=metadata or {})]
    if fields:
        violations = [error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in fields]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    wrapped = []
    for detail in details:
        one = any_pb2.Any()
        one.Pack(detail)
        wrapped.append(one)
    return status_pb2.Status(code=CODES[reason], message=message, details=wrapped)


class _Status(grpc.Status):
    def __init__(self, wire: status_pb2.Status) -> None:
        self.code = next(code for code in grpc.StatusCode if code.value[0] == wire.code)
        self.details = wire.message
        self.trailing_metadata = (("grpc-status-details-bin", wire.SerializeToString()),)


def abort(context: grpc.ServicerContext, wire: status_pb2.Status) -> Any:
    """Ends the call with this status."""
    context.abort_with_status(_Status(wire))


def _served_answer(served: Served, method: str) -> Answer:
    def answer(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        metadata = dict(context.invocation_metadata())
        about = CallContext(
            deadline=time.monotonic() + (context.time_remaining() or 60.0),
            session=metadata.get("firebreak-session", ""),
            traceparent=metadata.get("traceparent", ""),
            call_id="child",
        )
        try:
            messages = contextvars.copy_context().run(_collect, served, method, request, about)
        except ServedError as error:
            abort(context, status(error.reason, error.message, metadata=error.metadata, fields=error.fields))
        yield from messages

    return answer


def _collect(served: Served, method: str, request: bytes, about: CallContext) -> list[bytes]:
    current.set(about)
    return collect(served, method, request)


def collect(served: Served, method: str, request: bytes) -> list[bytes]:
    """The response messages of one call, made in the mode that the object has."""
    messages: list[bytes] = []
    if served.mode == "sync":
        served.call(method, request, messages.append)
        return messages

    async def emit(message: bytes) -> None:
        messages.append(message)

    asyncio.run(served.acall(method, request, emit))
    return messages
