"""An agent's state as JSON, and back: messages stay messages, and so do documents, bytes, tuples, sets and times.

What JSON has no word for is an object with the name "$firebreak", which says what it is. The bytes themselves come from
`json_values`, so what those refuse is refused here.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, messages_from_dict
from pydantic import BaseModel

from firebreak_runtime.json_values import JsonError, dumps, loads

TAG = "$firebreak"
MAX_DEPTH = 50
"""Levels of nesting; the gateway reads 64 and the bytes add some."""

_MESSAGES = frozenset({"human", "ai", "system", "tool", "chat", "function", "remove", "AIMessageChunk"})
_PLAIN = (str, int, float, bool, type(None))


class StateError(ValueError):
    """A value cannot cross. The text names the part and holds no value."""


def dump_state(value: Any, name: str, *, objects: bool = True) -> bytes:
    """The value as JSON; `name` is how errors call it. Dataclasses, models and enums become what they hold.

    Raises StateError for anything that would not come back as it went; without `objects` for the latter, too.
    """
    try:
        return dumps(to_json(value, name, objects=objects))
    except JsonError as error:
        raise StateError(f"{name} cannot be written as JSON: {error}") from None


def load_state(data: bytes, name: str) -> Any:
    """What `dump_state` wrote. Raises StateError."""
    try:
        return from_json(loads(data), name)
    except JsonError as error:
        raise StateError(f"{name}: {error}") from None
    except RecursionError:
        raise StateError(f"{name} is nested too deep") from None


def to_json(value: Any, path: str, *, objects: bool = True, depth: int = 0) -> Any:
    """The value in the words of JSON. Raises StateError."""
    if depth > MAX_DEPTH:
        raise StateError(f"{path} is nested too deep")

    # An object of the caller's own that has our name in it is wrapped, or it would be read as ours.
    wrapped = isinstance(value, Mapping) and TAG in value

    def inner(part: Any, where: str) -> Any:
        return to_json(part, where, objects=objects, depth=depth + (2 if wrapped else 1))

    if isinstance(value, _PLAIN) and not isinstance(value, Enum):
        return value
    if isinstance(value, list):
        return [inner(part, f"{path}[{index}]") for index, part in enumerate(value)]
    if isinstance(value, Mapping):
        found = {_name(key, path): inner(part, f"{path}.{key}") for key, part in value.items()}
        return {TAG: "object", "value": found} if wrapped else found
    tagged = _tagged(value, path, inner)
    if tagged is not None:
        return tagged
    if objects and isinstance(value, Enum):
        return inner(value.value, path)
    if objects and isinstance(value, BaseModel):
        return inner(_model_fields(value), path)
    if objects and is_dataclass(value) and not isinstance(value, type):
        return inner({field.name: getattr(value, field.name) for field in fields(value)}, path)
    raise StateError(f"{path} is a {type(value).__qualname__}, which cannot leave its process")


def from_json(value: Any, path: str) -> Any:
    """The value of what `to_json` made. Raises StateError."""
    if isinstance(value, list):
        return [from_json(part, path) for part in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: from_json(part, path) for key, part in value.items()}
    read = _READERS.get(value[TAG]) if isinstance(value[TAG], str) else None
    try:
        if read is not None:
            return read(value, path)
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise StateError(f"{path} holds a {TAG} that is none")


def _tagged(value: Any, path: str, inner: Callable[[Any, str], Any]) -> dict[str, Any] | None:
    if isinstance(value, BaseMessage):
        if value.type not in _MESSAGES:
            raise StateError(f"{path} is a {type(value).__qualname__}, which is no message of a conversation")
        return {TAG: "message", "type": value.type, "data": inner(_message_fields(value), path)}
    if isinstance(value, Document):
        return {TAG: "document", "value": inner(_document_fields(value), path)}
    if isinstance(value, (bytes, bytearray)):
        return {TAG: "bytes", "value": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {TAG: "time", "value": value.isoformat()}
    if isinstance(value, tuple):
        return {TAG: "tuple", "value": inner(list(value), path)}
    if isinstance(value, (set, frozenset)):
        return {TAG: "set", "value": inner(list(value), path)}
    return None


def _message_fields(message: BaseMessage) -> dict[str, Any]:
    """What the message says; what it leaves empty is empty in a new one, too."""
    said = {name: part for name, part in _model_fields(message).items() if name != "type"}
    return {name: part for name, part in said.items() if name == "content" or part not in (None, "", [], {})}


def _model_fields(model: BaseModel) -> dict[str, Any]:
    return {**{name: getattr(model, name) for name in type(model).model_fields}, **(model.model_extra or {})}


def _document_fields(document: Document) -> dict[str, Any]:
    return {"id": document.id, "page_content": document.page_content, "metadata": document.metadata}


def _name(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise StateError(f"{path} has a name that is no text")
    return key


def _message(value: dict[str, Any], path: str) -> BaseMessage:
    return messages_from_dict([{"type": value["type"], "data": from_json(value["data"], path)}])[0]


def _items(value: dict[str, Any], path: str) -> list[Any]:
    if not isinstance(value["value"], list):
        raise TypeError
    return [from_json(part, path) for part in value["value"]]


def _inner_object(value: dict[str, Any], path: str) -> dict[str, Any]:
    return {key: from_json(part, path) for key, part in value["value"].items()}


_READERS: Mapping[str, Callable[[dict[str, Any], str], Any]] = {
    "message": _message,
    "document": lambda value, path: Document(**from_json(value["value"], path)),
    "bytes": lambda value, _: base64.b64decode(value["value"], validate=True),
    "time": lambda value, _: datetime.fromisoformat(value["value"]),
    "tuple": lambda value, path: tuple(_items(value, path)),
    "set": lambda value, path: set(_items(value, path)),
    "object": _inner_object,
}
