"""Descriptors of a routed service: the shapes of its methods, and a request as JSON for policy to read.

Policy must see all that the target sees. So a request with anything in it that the descriptors do not describe is refused: the
target may know more than they do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    json_format,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from gateway.arguments import MAX_DEPTH, has_control

MAX_VALUES = 10_000
"""Values of one request that are read, entries of lists and maps included: reading more would hold up every other call."""

_ANY = "google.protobuf.Any"
_WELL_KNOWN = {
    each.DESCRIPTOR.name: each.DESCRIPTOR
    for each in (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One method: its full `name` with the leading slash, and on which sides it streams."""

    name: str
    streams_request: bool
    streams_response: bool


class Descriptors:
    """What a FileDescriptorSet says, in a pool of its own: two services may each have their version of a file."""

    def __init__(self, data: bytes) -> None:
        """Raises ValueError, in words for whoever made the file, where `data` is no complete FileDescriptorSet."""
        try:
            files = {file.name: file for file in FileDescriptorSet.FromString(data).file}
        except DecodeError:
            raise ValueError("is no FileDescriptorSet; make one with `protoc --descriptor_set_out`") from None
        self.revision = hashlib.sha256(data).hexdigest()
        self._pool = descriptor_pool.DescriptorPool()
        self._methods: dict[str, MethodDescriptor] = {}
        added: set[str] = set()
        for name in files:
            self._add(name, files, added)

    def shapes(self, pattern: str) -> tuple[Shape, ...]:
        """The methods that "package.Service/Method" or "package.Service/*" means. Raises ValueError where there are none."""
        service, _, wanted = pattern.partition("/")
        prefix = f"/{service}/"
        names = [name for name in self._methods if name.startswith(prefix) and wanted in ("*", name[len(prefix) :])]
        if not names:
            raise ValueError(f"has no method {pattern}")
        return tuple(self._shape(name) for name in names)

    def arguments(self, method: str, request: bytes) -> dict[str, Any]:
        """A `request` to `method` as JSON, its fields named as in the .proto file.

        A field with its default value is left out, as protobuf's JSON has it. Raises ValueError, in words for the caller.
        """
        try:
            message = GetMessageClass(self._methods[method].input_type).FromString(request)
            self._check(message)
            found = json_format.MessageToDict(
                message, preserving_proto_field_name=True, descriptor_pool=self._pool, unquote_int64_if_possible=True
            )
        except DecodeError:
            raise ValueError(f"is not the protobuf message of {method}") from None
        except (json_format.Error, UnicodeDecodeError):
            raise ValueError("holds a value that JSON cannot show, so that no policy could read it") from None
        return found if isinstance(found, dict) else {"value": found}

    def _add(self, name: str, files: dict[str, FileDescriptorProto], added: set[str]) -> None:
        """Adds a file behind those that it imports."""
        if name in added:
            return
        added.add(name)
        file = files.get(name) or _well_known(name)
        for needed in file.dependency:
            self._add(needed, files, added)
        try:
            self._pool.Add(file)
            services = self._pool.FindFileByName(name).services_by_name.values()
        except (TypeError, KeyError):
            raise ValueError(f"has a file {name} that is not valid") from None
        self._methods |= {f"/{service.full_name}/{each.name}": each for service in services for each in service.methods}

    def _shape(self, name: str) -> Shape:
        method = self._methods[name]
        return Shape(name, method.client_streaming, method.server_streaming)

    def _check(self, message: Message) -> None:
        """Raises ValueError for what is not described, at any depth, and for more than can be read."""
        values, level = 0, [message]
        for _ in range(MAX_DEPTH):
            below: list[Message] = []
            for each in level:
                if len(UnknownFieldSet(each)):
                    raise ValueError(
                        "has fields that are not described here, so that no policy could read them. "
                        "Ask the platform team for newer descriptors"
                    )
                for field, value in each.ListFields():
                    values += len(value) if field.is_repeated else 1
                    if values > MAX_VALUES:
                        raise ValueError(f"has more than the {MAX_VALUES} values that policy reads. Send less at once")
                    below += _messages(field, value)
                if each.DESCRIPTOR.full_name == _ANY:
                    below += self._packed(each)
            if not below:
                return
            level = below
        raise ValueError(f"is nested more than {MAX_DEPTH} levels deep")

    def _packed(self, packed: Any) -> list[Message]:
        """The message inside an Any."""
        if not packed.ListFields():
            return []
        name = packed.type_url.rpartition("/")[2]
        try:
            return [GetMessageClass(self._pool.FindMessageTypeByName(name)).FromString(packed.value)]
        except KeyError:
            raise ValueError("holds a message of a type that is not described here") from None


def _messages(field: FieldDescriptor, value: Any) -> Iterator[Message]:
    """The messages that a field holds. Raises ValueError for a map's key that could not be shown."""
    kind = field.message_type
    if kind is None:
        return
    if not kind.GetOptions().map_entry:
        yield from value if field.is_repeated else (value,)
        return
    for key, entry in value.items():
        if isinstance(key, str) and has_control(key):
            raise ValueError("has a control character in the key of a map")
        if isinstance(entry, Message):
            yield entry


def _well_known(name: str) -> FileDescriptorProto:
    """A file that comes with protobuf; sets made without --include_imports lack it."""
    if name not in _WELL_KNOWN:
        raise ValueError(f"lacks the file {name}; make it with `protoc --include_imports`")
    file = FileDescriptorProto()
    _WELL_KNOWN[name].CopyToProto(file)
    return file
