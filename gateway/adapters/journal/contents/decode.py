"""Reads the parts of a row back: what was kept of a call's messages, who called, and what exactly policy saw."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firebreak.v1 import record_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from gateway import views
from gateway.adapters.journal.contents.messages import answer_type, is_json, request_type
from gateway.adapters.journal.rows import body
from gateway.config import Recording
from gateway.errors import CallError
from gateway.routes import METHODS

_RECORDINGS = {
    record_pb2.RECORDING_FULL: Recording.FULL,
    record_pb2.RECORDING_MASKED: Recording.MASKED,
    record_pb2.RECORDING_HASHED: Recording.HASHED,
    record_pb2.RECORDING_NONE: Recording.NONE,
}


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of one class of a call's messages.

    `size` and `count` are bytes and messages that passed. `messages` are those that were kept, None for none; only where
    `exact` they are what passed, byte for byte. `cut`: some were left out for want of memory. `digest` is the
    keyed hash, b"" unless `recording` is HASHED. `missing`: they were kept apart and are not there any more.
    """

    recording: Recording
    size: int
    count: int
    exact: bool
    cut: bool
    messages: tuple[bytes, ...] | None
    digest: bytes
    missing: bool


@dataclass(frozen=True, slots=True)
class Content:
    """A content part, read. `status_details` is a serialized google.rpc.Status, b"" for none."""

    request: Part
    answers: Part
    status_message: str
    status_details: bytes


def read_content(part: bytes, blob: Callable[[bytes], bytes | None]) -> Content:
    """The content part `part`; `blob` finds what is kept apart. Raises ValueError for what is no content part."""
    try:
        content: Any = record_pb2.RecordedContent.FromString(body(part))
        return Content(
            _read(content.request, blob), _read(content.answers, blob), content.status_message, content.status_details
        )
    except (DecodeError, KeyError):
        raise ValueError("not a journal row's content") from None


def _read(recorded: Any, blob: Callable[[bytes], bytes | None]) -> Part:
    where = recorded.WhichOneof("messages")
    kept = blob(recorded.sha256) if where == "sha256" else recorded.inline if where else None
    return Part(
        _RECORDINGS[recorded.recording],
        recorded.size,
        recorded.count,
        recorded.exact,
        recorded.cut,
        None if kept is None else tuple(record_pb2.RecordedMessages.FromString(kept).messages),
        recorded.digest,
        missing=where == "sha256" and kept is None,
    )


def read_person(part: bytes) -> dict[str, Any]:
    """The person part `part`: principal, issuer, chain, peer, uris, input and reasons, as far as they are known.

    Raises ValueError for what is no person part.
    """
    # Not orjson, which makes floats of the large integers that a claim may hold.
    person = json.loads(body(part))
    if not isinstance(person, dict):
        raise ValueError("not a journal row's person part")
    return person


def policy_input(person: dict[str, Any], content: Content | None, method: str) -> dict[str, Any] | None:
    """The document that policy saw of a call of `method`: what the person part holds, with the arguments of the request.

    None where policy was not asked, or where the request was not kept exactly.
    """
    document = person.get("input")
    if not isinstance(document, dict):
        return None
    known = METHODS.get(method)
    messages = content.request.messages if content is not None and content.request.exact else None
    if known is None or not messages:
        return None
    try:
        return {**document, "args": views.read(known, messages[0]).args}
    except CallError:
        return None


def message_json(method: str, data: bytes, answer: bool) -> Any:
    """A request to `method`, or one of its answers, as plain values; JSON inside of it as the JSON that it holds.

    Raises ValueError for an unknown method and for bytes that are no such message.
    """
    kind = answer_type(method) if answer else request_type(method)
    if kind is None:
        raise ValueError(f"unknown method {method}")
    try:
        return _plain(kind.FromString(data))
    except DecodeError:
        raise ValueError(f"not a message of {method}") from None


def _plain(message: Message) -> dict[str, Any]:
    """Fields that are set, by name."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        many = field.is_repeated
        found[field.name] = [_value(field, each) for each in value] if many else _value(field, value)
    return found


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return _plain(value)
    if field.enum_type is not None:
        return _short(field, value)
    if isinstance(value, bytes):
        return _json(value) if is_json(field) else _text(value)
    return value


def _short(field: FieldDescriptor, number: int) -> Any:
    """An enum's value without the prefix that all of its values share; the number of one that is not known."""
    assert field.enum_type is not None
    values = field.enum_type.values_by_number
    if number not in values:
        return number
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    return values[number].name.removeprefix(prefix)


def _json(data: bytes) -> Any:
    """In a stream a field may hold a fragment only: that is text."""
    try:
        return json.loads(data, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return _text(data)


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _text(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
