"""Masks protobuf messages: values under names like "password", and in every text what marks.py finds.

What names things (a target, a tool call's id, a role) stays, so that a masked record can still be followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from gateway.adapters.journal.contents import marks
from gateway.adapters.journal.contents.first_sight import is_clean
from gateway.adapters.journal.contents.json_masking import Names, Path, mask_json
from gateway.adapters.journal.contents.messages import TERMINAL

_NAMING = frozenset(
    {"target", "tool_call_id", "name", "id", "message_id", "media_type", "tool_choice", "node", "decision_id"}
    | {"idempotency_key", "expect_schema_sha256", "schema_sha256", "version", "package", "python", "core_version"}
    | {"model", "tools", "reason", "domain", "revision", "engine", "rule", "type_url"}
)
"""Text fields that say which thing is meant; enums are numbers anyway."""

_DETAILS = {
    f"type.googleapis.com/{kind.DESCRIPTOR.full_name}": kind
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.RetryInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.QuotaFailure,
    )
}

Texts = dict[Path, tuple[list[str], list[str]]]
"""By where they stand in a stream's events: texts in order, as they came and as they are masked."""


def messages(kind: type[Message] | None, passed: Sequence[bytes], names: Iterable[str]) -> list[bytes] | None:
    """`passed`, messages of type `kind`, masked; `names` are further fields whose values are masked.

    None where they cannot be judged and so must not be kept: bytes that are no such messages, and a stream without its
    terminal event in which a secret spans several events. With the terminal event, that one alone is kept. A short message
    that is clean at first sight is not taken apart, because most are.
    """
    if kind is None:
        return None
    asked = _names(tuple(names))
    if len(passed) == 1 and asked.usual and is_clean(passed[0]):
        return list(passed)
    try:
        read = [kind.FromString(data) for data in passed]
    except DecodeError:
        return None
    alone = _Walk(asked, None)
    if len(read) < 2:
        return [alone.masked(message) for message in read]
    texts: Texts = {}
    parts = _Walk(asked, texts)
    kept = [(alone if _is_terminal(message) else parts).masked(message) for message in read]
    if not any(_spans(path, *lists, asked) for path, lists in texts.items()):
        return kept
    return [kept[-1]] if _is_terminal(read[-1]) else None


def status(message: str, details: bytes, names: Iterable[str]) -> tuple[str, bytes]:
    """A status's message and its serialized google.rpc.Status, masked; details of unknown types are left out."""
    walk = _Walk(_names(tuple(names)), None)
    try:
        read = status_pb2.Status.FromString(details)
        packed = list(read.details)
        del read.details[:]
        for each in packed:
            if (kind := _DETAILS.get(each.type_url)) is not None:
                read.details.add(type_url=each.type_url, value=walk.masked(kind.FromString(each.value)))
    except DecodeError:
        return marks.mask(message), b""
    return marks.mask(message), _own_text(read)


def _own_text(read: Any) -> bytes:
    read.DiscardUnknownFields()
    read.message = marks.mask(read.message)
    data: bytes = read.SerializeToString()
    return data


@lru_cache(maxsize=256)
def _names(names: tuple[str, ...]) -> Names:
    return Names(names)


def _is_terminal(event: Message) -> bool:
    return "event" in event.DESCRIPTOR.oneofs_by_name and event.WhichOneof("event") in TERMINAL


def _spans(path: Path, before: Sequence[str], after: Sequence[str], names: Names) -> bool:
    """Whether texts that belong together hold something that none of them shows alone."""
    if len(before) < 2:
        return False
    whole, shown = "".join(before), "".join(after)
    if path[0] != "json":
        return marks.mask(whole) not in (whole, shown)
    masked = mask_json(whole.encode(), names)
    return masked not in (whole.encode(), shown.encode()) and _value(masked) != _value(shown.encode())


def _value(data: bytes) -> Any:
    """JSON however it is spaced; a text as it is."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data


class _Walk:
    """Masks messages in place. With `texts` it remembers every text there, by where it stands."""

    def __init__(self, names: Names, texts: Texts | None) -> None:
        self._names = names
        self._texts = texts
        self._noted = None if texts is None else self._note

    def masked(self, message: Message) -> bytes:
        """`message` masked and serialized: the bytes that it was read from, if they hold nothing that it does not."""
        self._message(message, ())
        message.DiscardUnknownFields()
        return message.SerializeToString(deterministic=True)

    def _message(self, message: Any, path: Path) -> None:
        if self._texts is not None:
            path = (*path, *_identity(message))
        ways = _ways(message.DESCRIPTOR)
        for field, value in message.ListFields():
            name = field.name
            way, repeated = ways[name]
            if way is _Way.INSIDE:
                for each in value if repeated else (value,):
                    self._message(each, (*path, name))
            elif way is _Way.MAP:
                for key in value:
                    hidden = self._names.hide(key, value[key])
                    value[key] = marks.MASKED if hidden else self._one(_Way.TEXT, value[key], (*path, name, key))
            elif way is not _Way.STAYS and repeated:
                value[:] = [self._one(way, each, (*path, name)) for each in value]
            elif way is not _Way.STAYS:
                setattr(message, name, self._one(way, value, (*path, name)))

    def _one(self, way: _Way, value: Any, path: Path) -> str | bytes:
        if way is not _Way.TEXT:
            return mask_json(value, None if way is _Way.SCHEMA else self._names, self._noted, path)
        masked = marks.mask(value)
        if self._noted is not None:
            self._noted(path, value, masked)
        return masked

    def _note(self, path: Path, before: str, after: str) -> None:
        assert self._texts is not None
        old, new = self._texts.setdefault(path, ([], []))
        old.append(before)
        new.append(after)


class _Way(Enum):
    """What is done with a field."""

    STAYS = auto()
    INSIDE = auto()
    MAP = auto()
    TEXT = auto()
    JSON = auto()
    SCHEMA = auto()
    """JSON whose names are those of arguments: they look like secrets' names and say nothing about anybody."""


@lru_cache(maxsize=256)
def _ways(kind: Descriptor) -> dict[str, tuple[_Way, bool]]:
    """What is done with each field of messages of this `kind`, and whether it is repeated."""
    return {field.name: (_way(field), field.is_repeated) for field in kind.fields}


def _way(field: FieldDescriptor) -> _Way:
    if field.message_type is not None:
        return _Way.MAP if field.message_type.GetOptions().map_entry else _Way.INSIDE
    if field.name in _NAMING:
        return _Way.STAYS
    if field.type == FieldDescriptor.TYPE_STRING:
        return _Way.TEXT
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _Way.SCHEMA if field.name.endswith("schema_json") else _Way.JSON
    return _Way.STAYS


def _identity(message: Any) -> Path:
    """What tells the parts of one thing in a stream from those of another."""
    fields = message.DESCRIPTOR.fields_by_name
    return tuple(getattr(message, name) for name in ("message_id", "tool_call_id", "index") if name in fields)
