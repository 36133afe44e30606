"""What a tool hands over beside its content: bytes with a media type."""

from __future__ import annotations

from typing import Any

from firebreak.v1 import payload_pb2
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from firebreak_runtime.json_values import JsonError, dumps, loads

BYTES = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
DOCUMENTS = "application/vnd.firebreak.documents+json"
"""A JSON array of {"id", "page_content", "metadata"}: LangChain documents."""

LIMIT = 8 * 1024**2
"""Bytes of an artifact. A target's limits.response_bytes may let less through."""


class ArtifactError(ValueError):
    """The artifact does not fit; the text names its type."""


class ArtifactTooLarge(ArtifactError):
    """The artifact has more than LIMIT bytes."""


def to_artifact(value: Any) -> payload_pb2.Artifact:
    """Bytes, a text, documents, or anything that JSON carries; a Blob for bytes of another media type.

    Raises ArtifactError for any other object, ArtifactTooLarge for more than LIMIT bytes.
    """
    artifact = _written(value)
    if len(artifact.data) > LIMIT:
        raise ArtifactTooLarge(f"an artifact has at most {LIMIT} bytes, not {len(artifact.data)}")
    return artifact


def _written(value: Any) -> payload_pb2.Artifact:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return payload_pb2.Artifact(media_type=BYTES, data=bytes(value))
    try:
        if isinstance(value, Blob):
            return payload_pb2.Artifact(media_type=value.mimetype or BYTES, data=value.as_bytes())
        if isinstance(value, str):
            return payload_pb2.Artifact(media_type=TEXT, data=value.encode())
        if isinstance(value, list) and value and all(isinstance(part, Document) for part in value):
            return payload_pb2.Artifact(media_type=DOCUMENTS, data=dumps([_fields(part) for part in value]))
        return payload_pb2.Artifact(media_type=JSON, data=dumps(value))
    except (ValueError, OSError):
        raise ArtifactError(
            f"an artifact is bytes, text, JSON, documents or a blob, not {type(value).__module__}.{type(value).__qualname__}"
        ) from None


def from_artifact(wire: payload_pb2.Artifact) -> Any:
    """The value that `to_artifact` took; a Blob where the media type is none of ours. Raises ArtifactError."""
    if len(wire.data) > LIMIT:
        raise ArtifactTooLarge(f"an artifact has at most {LIMIT} bytes, not {len(wire.data)}")
    try:
        if wire.media_type == TEXT:
            return wire.data.decode()
        if wire.media_type == JSON:
            return loads(wire.data)
        if wire.media_type == DOCUMENTS:
            return [Document(**fields) for fields in loads(wire.data)]
    except (JsonError, UnicodeDecodeError, TypeError, ValueError):
        raise ArtifactError(f"the artifact is not what its media type {wire.media_type!r} says") from None
    return Blob(data=wire.data, mimetype=wire.media_type) if wire.media_type not in ("", BYTES) else wire.data


def _fields(document: Document) -> dict[str, Any]:
    return {"id": document.id, "page_content": document.page_content, "metadata": document.metadata}
