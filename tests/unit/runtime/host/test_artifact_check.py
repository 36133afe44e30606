"""A result is held to the schema of its artifact that the tool itself declared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from firebreak.v1 import payload_pb2, tool_pb2
from firebreak_runtime.checks import Checks
from firebreak_runtime.errors import LoadError
from firebreak_runtime.methods import KINDS, AnswerError
from firebreak_runtime.service_file import ServiceFile

CALL, STREAM = KINDS["tool"].methods
POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
OK, FAILED = tool_pb2.TOOL_STATUS_OK, tool_pb2.TOOL_STATUS_TOOL_ERROR


def _checks(schema: bytes) -> Checks:
    spec = tool_pb2.ToolSpec(input_schema_json=b"{}", output_schema_json=schema)
    service = ServiceFile(Path("x"), "mine", "tool", "1.0.0", "a:b", "READ")
    return Checks(service, tool_pb2.ToolServiceDescribeResponse(spec=spec))


def _result(data: bytes | None, media_type: str = "application/json", status: Any = OK) -> tool_pb2.ToolResult:
    artifact = None if data is None else payload_pb2.Artifact(media_type=media_type, data=data)
    return tool_pb2.ToolResult(status=status, artifact=artifact)


def _judge(result: tool_pb2.ToolResult, schema: Any = POINT) -> None:
    checks = _checks(json.dumps(schema).encode() if schema is not None else b"")
    checks.answer(CALL).message(tool_pb2.ToolServiceCallResponse(result=result).SerializeToString())
    events = checks.answer(STREAM)
    progress = tool_pb2.ToolProgress(data_json=b"1")
    events.message(tool_pb2.ToolServiceStreamResponse(seq=1, progress=progress).SerializeToString())
    events.message(tool_pb2.ToolServiceStreamResponse(seq=2, result=result).SerializeToString())


@pytest.mark.parametrize(
    ("data", "media_type", "schema"),
    [
        (b'{"x": 1}', "application/json", POINT),
        (b"[]", "application/vnd.firebreak.documents+json", {"type": "array"}),
        (b"hello", "text/plain; charset=utf-8", {"const": "hello"}),
        (b"\xff", "application/octet-stream", POINT),
        (None, "", POINT),
        (b'{"x": "anything"}', "application/json", None),
    ],
)
def test_what_fits_passes_and_so_does_what_no_schema_can_judge(
    data: bytes | None, media_type: str, schema: Any
) -> None:
    _judge(_result(data, media_type), schema)


def test_a_tool_that_failed_has_promised_nothing() -> None:
    _judge(_result(b'{"x": "SECRET"}', status=FAILED))


@pytest.mark.parametrize(
    ("data", "media_type", "where"),
    [
        (b'{"x": "SECRET"}', "application/json", r"at artifact\.x: "),
        (b'{"y": "SECRET"}', "application/json", "at artifact: "),
        (b'["SECRET"]', "application/vnd.firebreak.documents+json", "at artifact: "),
        (b"SECRET", "text/plain; charset=utf-8", "at artifact: "),
        (b"SECRET", "application/json", "not what its media type says"),
        (b"\xff", "text/plain; charset=utf-8", "not what its media type says"),
    ],
)
def test_what_does_not_fit_is_named_without_its_values(data: bytes, media_type: str, where: str) -> None:
    with pytest.raises(AnswerError, match=where) as broken:
        _judge(_result(data, media_type))
    assert "SECRET" not in str(broken.value)


@pytest.mark.parametrize("schema", [b"SECRET", b'{"type": "SECRET"}', b'{"$ref": "https://example.org/schema"}'])
def test_a_schema_that_is_none_does_not_load(schema: bytes) -> None:
    with pytest.raises(LoadError, match="output schema is not valid") as refused:
        _checks(schema)
    assert "SECRET" not in str(refused.value)
