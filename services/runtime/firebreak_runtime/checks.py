"""Judges a request before any worker sees it, and what comes back. What a model, a stranger or a tool sends may be anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import jsonschema_rs
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from firebreak_runtime.artifact_check import ArtifactCheck, compiled
from firebreak_runtime.cause import printable
from firebreak_runtime.errors import ServedError
from firebreak_runtime.methods import AnswerCheck, Method
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.strict_json import StrictJsonError, read_object

_MOST_VIOLATIONS = 8
_WORDS = 200
_SHOWN = 64
_ARGUMENTS = ("args_json", "injected_json")


class Checks:
    """The checks of one service. `description` is its parsed Describe response."""

    def __init__(self, service: ServiceFile, description: Any) -> None:
        """Raises LoadError if a tool's schema is none."""
        self._service = service
        self._sha256 = description.spec.schema_sha256 if service.kind == "tool" else ""
        self._arguments = compiled(description.spec.input_schema_json, "input") if service.kind == "tool" else None
        told = description.spec.output_schema_json if service.kind == "tool" else b""
        self._artifact = ArtifactCheck(told) if told else None

    def request(self, method: Method, data: bytes) -> Any:
        """The part of the request that names its target, well-formed and in keeping with the schema. Raises ServedError."""
        asked = method.ask(parse(method, data))
        check_target(self._service, asked.target)
        values = dict(_read_json(asked, ""))
        if self._arguments is not None:
            self._check_call(asked, values)
        elif hasattr(asked, "messages"):
            _check_messages(asked)
        return asked

    def answer(self, method: Method) -> AnswerCheck:
        """A fresh check of one call's answer."""
        return AnswerCheck(method, self._artifact)

    def _check_call(self, call: Any, values: Mapping[str, dict[str, Any]]) -> None:
        if call.expect_schema_sha256 not in ("", self._sha256):
            wrong = (
                f"The arguments of {self._service.name} have changed. Describe it again and send what it asks for now."
            )
            raise ServedError("SCHEMA_CHANGED", wrong, metadata={"target": self._service.name})
        if "args" not in values:
            raise _invalid((("args", "is empty; send {} where there is nothing to say"),))
        assert self._arguments is not None
        errors = self._arguments.iter_errors(values["args"])
        found = [_violation(error) for error in islice(errors, _MOST_VIOLATIONS)]
        if found:
            raise _invalid(tuple(found))


def check_target(service: ServiceFile, name: str) -> None:
    """Raises ServedError unless `name` is this service."""
    if name != service.name:
        asked = printable(name)[:_SHOWN]
        wrong = f'This service is "{service.name}" and not "{asked}". Set target to the name of the service.'
        raise ServedError("TARGET_UNKNOWN", wrong, metadata={"target": service.name})


def parse(method: Method, data: bytes) -> Any:
    """The request message in `data`. Raises ServedError."""
    try:
        return method.request.FromString(data)
    except DecodeError:
        wrong = f"The request is no {method.request.DESCRIPTOR.full_name}. Use the generated client of this version."
        raise ServedError("REQUEST_MALFORMED", wrong) from None


def _violation(error: jsonschema_rs.ValidationError) -> tuple[str, str]:
    path = "args" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return printable(path)[:_WORDS], printable(error.message)[:_WORDS]


def _invalid(fields: tuple[tuple[str, str], ...]) -> ServedError:
    name, wrong = fields[0]
    return ServedError("ARGUMENTS_INVALID", f'The field "{name}": {wrong}.', fields=fields)


def _read_json(message: Message, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of JSON in `message` and below, by its path; "args_json" of the message itself is called "args"."""
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for index, inner in enumerate(value) if _many(field) else ((None, value),):
                yield from _read_json(inner, f"{path}[{index}]." if index is not None else f"{path}.")
        elif field.type == FieldDescriptor.TYPE_BYTES and field.name.endswith("json"):
            short = path.removesuffix("_json") if path in _ARGUMENTS else path
            yield short, _object(value, short, path in _ARGUMENTS)


def _object(data: bytes, path: str, arguments: bool) -> dict[str, Any]:
    try:
        return read_object(data)
    except StrictJsonError as error:
        reason = "ARGUMENTS_INVALID" if arguments else "REQUEST_MALFORMED"
        raise ServedError(reason, f'The field "{path}" {error}.', fields=((path, str(error)),)) from None


def _many(field: Any) -> bool:
    """Whether a field repeats; protobuf 7 has no `label` any more, protobuf 6 warns about it."""
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED)


def _check_messages(asked: Any) -> None:
    """Raises ServedError for a prompt without messages, or a message that says not who speaks."""
    if not asked.messages:
        raise _malformed("messages", "is empty; send at least one message")
    for index, message in enumerate(asked.messages):
        if not 1 <= message.role <= 4:
            raise _malformed(f"messages[{index}].role", "is not a known role")


def _malformed(field: str, wrong: str) -> ServedError:
    return ServedError("REQUEST_MALFORMED", f'The field "{field}" {wrong}.', fields=((field, wrong),))
