"""Artifacts: bytes with a media type, and a refusal for what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from firebreak.v1 import payload_pb2
from firebreak_runtime.artifacts import (
    BYTES,
    DOCUMENTS,
    JSON,
    LIMIT,
    TEXT,
    ArtifactError,
    ArtifactTooLarge,
    from_artifact,
    to_artifact,
)
from langchain_core.documents import Document
from langchain_core.documents.base import Blob


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        (b"\x00\xff", BYTES),
        ("text", TEXT),
        ({"a": [1, None, 1.5]}, JSON),
        ([], JSON),
        (2**64 - 1, JSON),
        ([Document(id="1", page_content="p", metadata={"n": 1})], DOCUMENTS),
    ],
)
def test_it_comes_back_as_it_went(value: Any, media_type: str) -> None:
    wire = to_artifact(value)

    assert wire.media_type == media_type
    assert from_artifact(wire) == value


def test_a_dataclass_is_an_object() -> None:
    assert from_artifact(to_artifact(Point(1))) == {"x": 1}


@pytest.mark.parametrize(
    "value",
    [object(), float("nan"), 2**64, {1: "key"}, "\ud800", {"inner": object()}, Blob(path="/nowhere/at/all")],
)
def test_what_does_not_fit_is_refused(value: Any) -> None:
    with pytest.raises(ArtifactError):
        to_artifact(value)


def test_bytes_of_another_media_type_are_a_blob() -> None:
    blob = from_artifact(payload_pb2.Artifact(media_type="image/png", data=b"png"))

    assert (blob.mimetype, blob.as_bytes()) == ("image/png", b"png")
    assert to_artifact(blob) == payload_pb2.Artifact(media_type="image/png", data=b"png")


@pytest.mark.parametrize("media_type", [BYTES, ""])
def test_bytes_of_no_known_kind_stay_bytes(media_type: str) -> None:
    assert from_artifact(payload_pb2.Artifact(media_type=media_type, data=b"x")) == b"x"


@pytest.mark.parametrize("blob", [Blob(data=b"x"), Blob(data=b"x", mimetype=BYTES)])
def test_a_blob_of_no_known_kind_is_bytes(blob: Blob) -> None:
    assert from_artifact(to_artifact(blob)) == b"x"


@pytest.mark.parametrize("value", [b"x" * LIMIT, "x" * LIMIT])
def test_what_is_just_small_enough_goes(value: Any) -> None:
    assert from_artifact(to_artifact(value)) == value


@pytest.mark.parametrize("value", [b"x" * (LIMIT + 1), "x" * (LIMIT + 1), Blob(data=b"x" * (LIMIT + 1)), ["x" * LIMIT]])
def test_what_is_too_large_is_refused(value: Any) -> None:
    with pytest.raises(ArtifactTooLarge, match=f"at most {LIMIT} bytes"):
        to_artifact(value)


def test_what_came_too_large_is_refused() -> None:
    with pytest.raises(ArtifactTooLarge):
        from_artifact(payload_pb2.Artifact(media_type=BYTES, data=b"x" * (LIMIT + 1)))


@pytest.mark.parametrize("media_type", [JSON, DOCUMENTS, TEXT])
def test_bytes_that_belie_their_media_type_are_refused(media_type: str) -> None:
    with pytest.raises(ArtifactError):
        from_artifact(payload_pb2.Artifact(media_type=media_type, data=b"\xff"))
