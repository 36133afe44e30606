"""A record as one JSON object, everything in it that is kept: for programs and for export."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.adapters.journal.contents.decode import Content, Part
    from gateway.adapters.journal.reading.reader import Record


def as_object(record: Record) -> dict[str, Any]:
    """Header fields, facts, person and content. `person` and `content` are None where there are none, and the text "erased"
    where there were. Raises StoreError."""
    header, row = record.header, record.row
    return {
        "writer": header.writer,
        "seq": header.seq,
        "at": iso(header.at),
        "kind": header.kind,
        "call": header.call,
        "parent": header.parent,
        "session": header.session,
        "target": header.target,
        "method": header.method,
        "outcome": header.outcome,
        "reason": header.reason,
        "decision": header.decision,
        "principal": row.principal,
        "origin": row.origin,
        "facts": header.facts,
        "person": "erased" if record.person_erased else dict(record.person) or None,
        "content": _content(record),
        "hash": row.hash.hex(),
    }


def encoded(value: Any) -> bytes:
    """JSON in one line. What UTF-8 cannot carry is escaped; `json` and not `orjson`, which takes no large integers."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def iso(micros: int) -> str:
    """UTC to the microsecond."""
    exact = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    return exact.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _content(record: Record) -> dict[str, Any] | str | None:
    content = record.content
    if content is None:
        return "erased" if record.content_erased else None
    method = record.header.method
    return {
        "request": part(method, content.request, answer=False),
        "answers": part(method, content.answers, answer=True),
        "status_message": content.status_message,
        "status": status(content),
    }


def part(method: str, part: Part, *, answer: bool) -> dict[str, Any]:
    """What is known of one part's messages, and the messages themselves where they are kept."""
    found: dict[str, Any] = {
        "recording": str(part.recording),
        "size": part.size,
        "count": part.count,
        "exact": part.exact,
    }
    if part.digest:
        found["digest"] = part.digest.hex()
    found.update({name: True for name in ("cut", "missing") if getattr(part, name)})
    if part.messages is not None:
        found["messages"] = [message(method, each, answer=answer) for each in part.messages]
    return found


def message(method: str, raw: bytes, *, answer: bool) -> Any:
    """A message as JSON; bytes that are no message of that method in base64, so that nothing is hidden."""
    from gateway.adapters.journal.contents.decode import message_json

    try:
        return message_json(method, raw, answer)
    except ValueError:
        return {"base64": base64.b64encode(raw).decode()}


def status(content: Content) -> Mapping[str, Any] | None:
    """The error's ErrorInfo and other details; None where there are none."""
    from google.protobuf.json_format import Error, MessageToDict
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2  # noqa: F401 - their types are what the details hold

    if not content.status_details:
        return None
    try:
        details: dict[str, Any] = MessageToDict(status_pb2.Status.FromString(content.status_details))
    except (DecodeError, Error, TypeError, ValueError):
        return {"base64": base64.b64encode(content.status_details).decode()}
    return details
