"""What a tool hands over beside its content: bytes with a media type."""

from __future__ import annotations

from typing import Any

from firebreak.v1 import payload_pb2
from langchain_core.documents import Document

from firebreak_runtime.json_values import JsonError, dumps, loads

BYTES = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
DOCUMENTS = "application/vnd.firebreak.documents+json"
"""A JSON array of {"id", "page_content", "metadata"}: LangChain documents."""


class ArtifactError(ValueError):
    """The artifact does not fit; the text names its type."""


def to_artifact(value: Any) -> payload_pb2.Artifact:
    """Bytes, a text, documents, or anything that JSON carries. Raises ArtifactError for any other object."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return payload_pb2.Artifact(media_type=BYTES, data=bytes(value))
    try:
        if isinstance(value, str):
            return payload_pb2.Artifact(media_type=TEXT, data=value.encode())
        if isinstance(value, list) and value and all(isinstance(part, Document) for part in value):
            return payload_pb2.Artifact(media_type=DOCUMENTS, data=dumps([_fields(part) for part in value]))
        return payload_pb2.Artifact(media_type=JSON, data=dumps(value))
    except (JsonError, UnicodeEncodeError):
        raise ArtifactError(
            f"an artifact is bytes, text, JSON or documents, not {type(value).__module__}.{type(value).__qualname__}"
        ) from None


def from_artifact(wire: payload_pb2.Artifact) -> Any:
    """The value that `to_artifact` took; bytes where the media type is another. Raises ArtifactError."""
    try:
        if wire.media_type == TEXT:
            return wire.data.decode()
        if wire.media_type == JSON:
            return loads(wire.data)
        if wire.media_type == DOCUMENTS:
            return [Document(**fields) for fields in loads(wire.data)]
    except (JsonError, UnicodeDecodeError, TypeError, ValueError):
        raise ArtifactError(f"the artifact is not what its media type {wire.media_type!r} says") from None
    return wire.data


def _fields(document: Document) -> dict[str, Any]:
    return {"id": document.id, "page_content": document.page_content, "metadata": document.metadata}
