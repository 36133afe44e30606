"""What is shown of a record as JSON, whatever a service put into it."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from cli.journal.objects import status
from gateway.adapters.journal.contents.decode import Content, Part
from gateway.config import Recording

NOTHING = Part(Recording.FULL, 0, 0, True, False, (), b"", False)


def content(details: bytes) -> Content:
    return Content(NOTHING, NOTHING, "failed", details)


def packed(message: Timestamp | error_details_pb2.ErrorInfo) -> bytes:
    detail = Packed()
    detail.Pack(message)
    return status_pb2.Status(code=13, message="failed", details=[detail]).SerializeToString()


def test_details_are_shown_by_name() -> None:
    shown = status(content(packed(error_details_pb2.ErrorInfo(reason="R", domain="acme.example"))))
    assert shown is not None
    assert shown["details"][0]["reason"] == "R"


@pytest.mark.parametrize(
    "details",
    [
        b"\xff",
        packed(Timestamp(seconds=2**60)),
        status_pb2.Status(details=[Packed(type_url="t/acme.Unheard", value=b"x")]).SerializeToString(),
    ],
    ids=["no status", "no valid value", "no known type"],
)
def test_details_that_cannot_be_are_shown_as_bytes(details: bytes) -> None:
    assert status(content(details)) == {"base64": base64.b64encode(details).decode()}
