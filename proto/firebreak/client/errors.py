"""What a client sees of a call that Firebreak did not answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2


@dataclass(frozen=True)
class FieldViolation:
    """One field of the request that is wrong: `field` is its path, e.g. "args.expression"."""

    field: str
    description: str


@dataclass
class CallFailed(Exception):
    """A call ended with a status other than OK.

    `code` is the gRPC status code's name, `reason` one of docs/errors.md ("" when the server sent none), `metadata` what
    goes with the reason (call_id, target, rule, decision_id, …), `fields` what is wrong in the request, `retry_after`
    seconds to wait before trying again, where the gateway says so.
    """

    code: str
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}" if self.reason else f"{self.code}: {self.message}"


def from_rpc_error(error: grpc.RpcError) -> CallFailed:
    """Reads the google.rpc.Status of a failed call."""
    call: Any = error
    failure = CallFailed(code=call.code().name, message=call.details() or "")
    status = status_pb2.Status()
    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status.ParseFromString(value)
    for detail in status.details:
        _read_detail(detail, failure)
    return failure


def _read_detail(detail: Any, failure: CallFailed) -> None:
    info, retry, request = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
    if detail.Unpack(info):
        failure.reason, failure.metadata = info.reason, dict(info.metadata)
    elif detail.Unpack(retry):
        failure.retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    elif detail.Unpack(request):
        failure.fields = tuple(FieldViolation(v.field, v.description) for v in request.field_violations)
