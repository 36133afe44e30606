"""A ServedError on the wire: the trailing metadata of a gRPC status with google.rpc details."""

from __future__ import annotations

from google.rpc import error_details_pb2, status_pb2

from firebreak_runtime.errors import DOMAIN, ServedError

DETAILS = "grpc-status-details-bin"
MESSAGE = 1000
"""Characters of a status message. All trailers must fit into the 8 KiB that clients take by default."""
_VALUE = 300
_ENTRIES = 8


def details_of(error: ServedError) -> bytes:
    """A serialized google.rpc.Status with one ErrorInfo, and a BadRequest where fields are at fault."""
    status = status_pb2.Status(code=error.code, message=error.message[:MESSAGE])
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    for key, value in list(error.metadata.items())[:_ENTRIES]:
        info.metadata[key[:_VALUE]] = value[:_VALUE]
    status.details.add().Pack(info)
    if error.fields:
        wrong = error_details_pb2.BadRequest()
        for field, description in error.fields[:_ENTRIES]:
            wrong.field_violations.add(field=field[:_VALUE], description=description[:_VALUE])
        status.details.add().Pack(wrong)
    return bytes(status.SerializeToString())
