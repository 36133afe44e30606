"""Errors on the wire: CallError to a gRPC status with google.rpc details, and back to what the gateway reads of one.

Everything here is bounded, because status, message and details travel in one block of trailing metadata and a client
that gets more than its limit (8 KiB by default) sees an unrelated error instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from gateway.call import Metadata
from gateway.errors import DOMAIN, CallError
from gateway.service import Finish

DETAILS_KEY = "grpc-status-details-bin"
CALL_ID_KEY = "firebreak-call-id"

_MESSAGE = 1000
_VALUE = 300
_FIELDS = 16
_DETAILS = 4096


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """The google.rpc.ErrorInfo of a status in Firebreak's domain."""

    reason: str
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def finish_of(error: CallError, call_id: str) -> Finish:
    """The finish that tells a caller about `error`."""
    details = status_of(error, call_id).SerializeToString()
    return Finish(
        code=error.code,
        message=_cut(error.message, _MESSAGE),
        trailers=((DETAILS_KEY, details),),
        reason=error.reason.value,
    )


def status_of(error: CallError, call_id: str) -> status_pb2.Status:
    """`error` as google.rpc.Status: one ErrorInfo, and RetryInfo, BadRequest and QuotaFailure where they help."""
    status = status_pb2.Status(code=int(error.code), message=_cut(error.message, _MESSAGE))
    status.details.add().Pack(_info(error, call_id))
    if error.retry_after is not None:
        status.details.add().Pack(_retry_info(error.retry_after))
    if error.quota is not None:
        status.details.add().Pack(_quota_failure(error))
    if error.fields:
        _pack_fields(status, error)
    return status


def read_error(trailers: Metadata) -> ErrorInfo | None:
    """The ErrorInfo of Firebreak's domain in a target's trailers; None where there is none or it is malformed."""
    for key, value in trailers:
        if key == DETAILS_KEY and isinstance(value, bytes):
            return _parse(value)
    return None


def _parse(details: bytes) -> ErrorInfo | None:
    info = error_details_pb2.ErrorInfo()
    try:
        status = status_pb2.Status.FromString(details)
        for detail in status.details:
            if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
                return ErrorInfo(info.reason, status.message, dict(info.metadata))
    except DecodeError:
        return None
    return None


def _info(error: CallError, call_id: str) -> error_details_pb2.ErrorInfo:
    metadata = {**({"call_id": call_id} if call_id else {}), **error.metadata}
    return error_details_pb2.ErrorInfo(
        reason=error.reason.value,
        domain=DOMAIN,
        metadata={key: _cut(value, _VALUE) for key, value in metadata.items()},
    )


def _retry_info(seconds: float) -> error_details_pb2.RetryInfo:
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromMilliseconds(math.ceil(min(max(seconds, 0.0), 86_400.0) * 1000))
    return info


def _quota_failure(error: CallError) -> error_details_pb2.QuotaFailure:
    failure = error_details_pb2.QuotaFailure()
    failure.violations.add(subject=_cut(error.quota or "", _VALUE), description=_cut(error.message, _VALUE))
    return failure


def _pack_fields(status: status_pb2.Status, error: CallError) -> None:
    """Adds as many field violations as fit; the first ones, because those are what a person reads."""
    request = error_details_pb2.BadRequest()
    room = _DETAILS - status.ByteSize()
    for violation in error.fields[:_FIELDS]:
        request.field_violations.add(
            field=_cut(violation.field, _VALUE), description=_cut(violation.description, _VALUE)
        )
        if request.ByteSize() > room and len(request.field_violations) > 1:
            del request.field_violations[-1]
            break
    status.details.add().Pack(request)


def _cut(text: str, limit: int) -> str:
    """`text` without what UTF-8 cannot carry (lone surrogates), at most `limit` characters."""
    safe = text.encode("utf-8", "replace").decode()
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"
