"""Holds a tool to what it said of its artifact: the JSON Schema in its Describe response."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs

from firebreak_runtime.cause import printable
from firebreak_runtime.errors import LoadError
from firebreak_runtime.methods import AnswerError

_OK = 1
_WORDS = 200


class ArtifactCheck:
    """The check of one tool's results.

    An artifact of JSON or of text must fit. Bytes of other media types have no form that a JSON Schema could judge, and where
    there is no artifact there is nothing to judge: a caller that wants the bare value gets none.
    """

    def __init__(self, schema: bytes) -> None:
        """Raises LoadError where `schema` is none."""
        self._validator = compiled(schema, "output")

    def __call__(self, result: Any) -> None:
        """Raises AnswerError for a result whose artifact does not fit; the text holds nothing of it but names of fields."""
        if result.status != _OK or not result.HasField("artifact"):
            return
        try:
            known, value = _read(result.artifact)
        except ValueError:
            raise AnswerError("its artifact is not what its media type says") from None
        error = next(self._validator.iter_errors(value), None) if known else None
        if error is not None:
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
            where, wrong = printable(f"artifact{path}")[:_WORDS], printable(error.message)[:_WORDS]
            raise AnswerError(f"its result breaks its own output schema at {where}: {wrong}")


def compiled(schema: bytes, which: str) -> jsonschema_rs.Validator:
    """A validator whose errors hold no values. Raises LoadError that calls it the tool's `which` schema."""

    def refuse(_uri: str) -> Any:
        raise ValueError("a schema may not refer to other documents")

    try:
        return jsonschema_rs.validator_for(json.loads(schema), mask="the value", retriever=refuse)
    except Exception as error:  # the library raises several types, and their text may be the whole schema
        raise LoadError(f"the tool's {which} schema is not valid ({type(error).__name__})") from None


def _read(artifact: Any) -> tuple[bool, Any]:
    """Whether the artifact has a form that a schema can judge, and the value. Raises ValueError."""
    kind = artifact.media_type.partition(";")[0]
    if kind == "application/json" or kind.endswith("+json"):
        return True, json.loads(artifact.data)
    if kind == "text/plain":
        return True, artifact.data.decode()
    return False, None
