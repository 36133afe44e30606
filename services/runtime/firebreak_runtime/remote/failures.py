"""Why a call through the gateway failed: from a gRPC error to a typed one, and to words for a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from firebreak_runtime.errors import DOMAIN

_FALLBACK: Mapping[str, str] = {
    "CANCELLED": "CANCELLED",
    "DEADLINE_EXCEEDED": "DEADLINE_EXCEEDED",
    "INVALID_ARGUMENT": "REQUEST_MALFORMED",
    "NOT_FOUND": "TARGET_UNKNOWN",
    "PERMISSION_DENIED": "POLICY_DENIED",
    "RESOURCE_EXHAUSTED": "OVERLOADED",
    "UNAUTHENTICATED": "CREDENTIALS_INVALID",
    "UNAVAILABLE": "TARGET_UNAVAILABLE",
    "UNIMPLEMENTED": "METHOD_UNKNOWN",
}
"""The reason of a status without details: the gateway was not reached, or something between us and it answered."""


@dataclass(frozen=True)
class Failure:
    """What the status said.

    `reason` is a name of errors.proto, `message` is safe to show, `fields` are (path, what is wrong) pairs,
    `retry_after` is in seconds or None, `metadata` is the ErrorInfo's (call_id, rule, decision_id, cause, …).
    """

    target: str
    reason: str
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()
    retry_after: float | None = None


class RemoteError(Exception):
    """A call through the gateway failed; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.target}: {failure.reason}: {failure.message}")
        self.failure = failure

    @property
    def reason(self) -> str:
        return self.failure.reason


def from_rpc(error: Any, target: str) -> RemoteError:
    """The typed error of a grpc.RpcError, sync or aio."""
    code: grpc.StatusCode = error.code()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            found = _from_details(bytes(value), target, error.details() or "")
            if found is not None:
                return RemoteError(found)
    reason = _FALLBACK.get(code.name, "INTERNAL")
    # The text of a bare status may come from anywhere, grpc's own "failed to connect to …" with its address included.
    return RemoteError(Failure(target, reason, f"the call ended with {code.name}"))


def _from_details(data: bytes, target: str, message: str) -> Failure | None:
    status = status_pb2.Status()
    try:
        status.ParseFromString(data)
        info = next((d for d in _unpacked(status, error_details_pb2.ErrorInfo) if d.domain == DOMAIN), None)
        if info is None:
            return None
        fields = tuple(
            (v.field, v.description)
            for d in _unpacked(status, error_details_pb2.BadRequest)
            for v in d.field_violations
        )
        waits = [d.retry_delay.ToTimedelta().total_seconds() for d in _unpacked(status, error_details_pb2.RetryInfo)]
    except DecodeError:
        return None
    return Failure(target, info.reason, message, dict(info.metadata), fields, waits[0] if waits else None)


def _unpacked(status: Any, kind: Any) -> list[Any]:
    found = []
    for detail in status.details:
        if detail.Is(kind.DESCRIPTOR):
            value = kind()
            detail.Unpack(value)
            found.append(value)
    return found


def for_model(failure: Failure) -> str:
    """One or two sentences that a model can act on: no rule, no id, nothing about the inside of Firebreak."""
    words = _WORDS.get(failure.reason)
    return words(failure) if words else f"the tool could not be called ({failure.reason})"


def _arguments(failure: Failure) -> str:
    wrong = "; ".join(f"{path}: {what}" for path, what in failure.fields)
    return f"the arguments are not valid: {wrong or 'they do not fit the schema'}"


def _denied(failure: Failure) -> str:
    named = failure.metadata.get("field")
    where = f" because of {named}" if named else ""
    return f"policy does not allow this call{where}. Do not repeat it unchanged."


def _busy(failure: Failure) -> str:
    when = f"in {failure.retry_after:.0f} seconds" if failure.retry_after and failure.retry_after >= 1 else "later"
    return f"the tool is busy. It may be called again {when}."


def _said(text: str) -> Callable[[Failure], str]:
    return lambda _: text


_WORDS: Mapping[str, Callable[[Failure], str]] = {
    "ARGUMENTS_INVALID": _arguments,
    "REQUEST_MALFORMED": _arguments,
    "REQUEST_TOO_LARGE": _said("the arguments are too large."),
    "SCHEMA_CHANGED": _said("the tool has changed meanwhile; its arguments are different now."),
    "POLICY_DENIED": _denied,
    "POLICY_UNAVAILABLE": _said("the call is not allowed: policy could not be asked."),
    "RATE_LIMITED": _busy,
    "OVERLOADED": _busy,
    "CONCURRENCY_LIMITED": _busy,
    "DEPTH_EXCEEDED": _said("the call is not allowed: too many calls are nested."),
    "CALL_BUDGET_EXCEEDED": _said("the call is not allowed: too many calls were made."),
    "CIRCUIT_OPEN": _said("the tool keeps failing and is not called for a while. Go on without it."),
    "TARGET_UNKNOWN": _said("there is no such tool."),
    "TARGET_UNAVAILABLE": _said("the tool cannot be reached."),
    "TARGET_NOT_READY": _said("the tool is not available now."),
    "DRAINING": _said("the tool is not available now."),
    "WORKER_DIED": _said("the tool crashed."),
    "MEMORY_EXCEEDED": _said("the tool ran out of memory."),
    "RESPONSE_TOO_LARGE": _said("the tool's answer is too large. Ask for less."),
    "CONTRACT_VIOLATED": _said("the tool gave no usable answer."),
    "DEADLINE_EXCEEDED": _said("the tool did not answer in time."),
    "FIRST_EVENT_TIMEOUT": _said("the tool did not answer in time."),
    "IDLE_TIMEOUT": _said("the tool did not answer in time."),
    "CANCELLED": _said("the call was cancelled."),
}
