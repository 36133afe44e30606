"""From plain values to the frozen configuration types, with every problem in words of the file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.adapters.config_files.lines import Document, Key, Problem

_M = TypeVar("_M", bound=BaseModel)

_WORDS = {
    "missing": "is missing",
    "string_type": "is not text",
    "int_type": "is not a whole number",
    "float_type": "is not a number",
    "bool_type": "is not true or false",
    "tuple_type": "is not a list",
    "dict_type": "is not a mapping of keys to values",
    "model_type": "is not a mapping of keys to values",
    "too_short": "needs at least one entry",
}


def build(model: type[_M], document: Document) -> _M | None:
    """`document.value` as `model`; None where it is not one, with the reasons added to `document.problems`."""
    if not isinstance(document.value, Mapping):
        if not document.problems:
            document.problems.append(document.problem((), "is not a mapping of keys to values"))
        return None
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        document.problems.extend(_problem(model, document, detail) for detail in _told(error))
        return None


def _told(error: ValidationError) -> list[ErrorDetails]:
    """The errors, but for what merely follows: a list whose entries are wrong counts as too short as well."""
    found = error.errors(include_url=False)
    behind = {detail["loc"][:-1] for detail in found}
    return [detail for detail in found if detail["type"] != "too_short" or detail["loc"] not in behind]


def _problem(model: type[BaseModel], document: Document, error: ErrorDetails) -> Problem:
    key = _in_file(error["loc"], document)
    return document.problem(key, _message(model, key, error))


def _in_file(loc: Key, document: Document) -> Key:
    """pydantic's path without the parts that name a branch of a type and not a key of the file."""
    key: Key = ()
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if (*key, part) in document.lines or last:
            key = (*key, part)
    return key


def _message(model: type[BaseModel], key: Key, error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return "is no known key" + _meant(model, key)
    if kind in _WORDS:
        return _WORDS[kind]
    if kind == "string_pattern_mismatch":
        return f"does not match {error['ctx']['pattern']}"
    text = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return text[:1].lower() + text[1:]


def _meant(model: type[BaseModel], key: Key) -> str:
    """The known key that was probably meant."""
    fields = _fields(model, key[:-1])
    close = difflib.get_close_matches(str(key[-1]), fields, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(fields)}" if fields else ""


def _fields(model: type[BaseModel], key: Key) -> list[str]:
    """Names of the fields of the model at `key` under `model`."""
    for part in key:
        if isinstance(part, str):
            found = _model_in(model.model_fields[part].annotation)
            if found is None:
                return []
            model = found
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The configuration type inside an annotation such as `tuple[Listener, ...]` or `Tls | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_in(inner)) is not None:
            return found
    return None
