"""Artifacts: bytes with a media type, and a refusal for what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from firebreak.v1 import payload_pb2
from firebreak_runtime.artifacts import BYTES, DOCUMENTS, JSON, TEXT, ArtifactError, from_artifact, to_artifact
from langchain_core.documents import Document


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


@pytest.mark.parametrize("value", [object(), float("nan"), 2**64, {1: "key"}, "\ud800", {"inner": object()}])
def test_what_does_not_fit_is_refused(value: Any) -> None:
    with pytest.raises(ArtifactError):
        to_artifact(value)


def test_an_unknown_media_type_stays_bytes() -> None:
    assert from_artifact(payload_pb2.Artifact(media_type="image/png", data=b"png")) == b"png"


@pytest.mark.parametrize("media_type", [JSON, DOCUMENTS, TEXT])
def test_bytes_that_belie_their_media_type_are_refused(media_type: str) -> None:
    with pytest.raises(ArtifactError):
        from_artifact(payload_pb2.Artifact(media_type=media_type, data=b"\xff"))
