"""What the host judges before a worker is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, payload_pb2, retriever_pb2, tool_pb2
from firebreak_runtime.checks import Checks
from firebreak_runtime.errors import LoadError, ServedError
from firebreak_runtime.methods import KINDS, Method
from firebreak_runtime.service_file import ServiceFile

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "maximum": 3}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}}},
    "required": ["n"],
    "additionalProperties": False,
}


def _service(kind: str) -> ServiceFile:
    return ServiceFile(Path("x"), "mine", kind, "1.0.0", "a:b", "READ" if kind == "tool" else None)


def _method(kind: str, name: str) -> Method:
    (method,) = (method for method in KINDS[kind].methods if method.name == name)
    return method


def _tool_checks(schema: Any = SCHEMA) -> Checks:
    spec = tool_pb2.ToolSpec(input_schema_json=json.dumps(schema).encode(), schema_sha256="aa")
    return Checks(_service("tool"), tool_pb2.ToolServiceDescribeResponse(spec=spec))


def _tool_error(args: bytes, **fields: Any) -> ServedError:
    call = tool_pb2.ToolCall(**{"target": "mine", "args_json": args, **fields})
    with pytest.raises(ServedError) as refused:
        _tool_checks().request(_method("tool", "Call"), tool_pb2.ToolServiceCallRequest(call=call).SerializeToString())
    return refused.value


def test_arguments_that_fit_are_let_through() -> None:
    call = tool_pb2.ToolCall(target="mine", args_json=b'{"n": 1}', expect_schema_sha256="aa", idempotency_key="k")
    asked = _tool_checks().request(
        _method("tool", "Stream"), tool_pb2.ToolServiceStreamRequest(call=call).SerializeToString()
    )
    assert asked.idempotency_key == "k"


@pytest.mark.parametrize(
    ("args", "fields"),
    [
        (b'{"n": "SECRET"}', ["args.n"]),
        (b'{"n": 4}', ["args.n"]),
        (b'{"n": 1, "tags": ["a", "SECRET"]}', ["args.tags[1]"]),
        (b'{"tags": [1]}', ["args.tags[0]", "args"]),
        (b'{"n": 1, "x": "SECRET"}', ["args"]),
        (b"{}", ["args"]),
        (b"", ["args"]),
        (b"SECRET", ["args"]),
    ],
)
def test_arguments_that_do_not_fit_are_named_without_their_values(args: bytes, fields: list[str]) -> None:
    error = _tool_error(args)
    assert error.reason == "ARGUMENTS_INVALID"
    assert sorted(field for field, _ in error.fields) == sorted(fields)
    assert "SECRET" not in str(error) + repr(error.fields)


def test_names_from_strangers_are_shown_without_control_characters() -> None:
    error = _tool_error(b'{"n": 1, "\\u001b[31mred\\n": 1}')
    assert all(char.isprintable() for _, wrong in error.fields for char in wrong)
    error = _tool_error(b'{"n": 1}', target="\x1b[31m" + "x" * 500)
    assert error.reason == "TARGET_UNKNOWN"
    assert error.message.isprintable()
    assert len(error.message) < 250


def test_only_so_many_violations_are_told() -> None:
    error = _tool_error(json.dumps({"n": 1, "tags": list(range(100))}).encode())
    assert len(error.fields) == 8


def test_a_changed_schema_is_told() -> None:
    assert _tool_error(b'{"n": 1}', expect_schema_sha256="bb").reason == "SCHEMA_CHANGED"


def test_injected_arguments_are_an_object_too() -> None:
    error = _tool_error(b'{"n": 1}', injected_json=b"[]")
    assert (error.reason, error.fields[0][0]) == ("ARGUMENTS_INVALID", "injected")


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x05\x0a\x03\xff\xff\xff"])
def test_bytes_that_are_no_request_are_malformed(data: bytes) -> None:
    with pytest.raises(ServedError) as refused:
        _tool_checks().request(_method("tool", "Call"), data)
    assert refused.value.reason == "REQUEST_MALFORMED"


@pytest.mark.parametrize("schema", [{"type": "hammer"}, {"$ref": "https://example.org/schema"}, []])
def test_a_schema_that_is_none_keeps_the_service_from_starting(schema: Any) -> None:
    with pytest.raises(LoadError, match="input schema"):
        _tool_checks(schema)


USER = payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(text="hi")])


def _bad_block(data: bytes) -> payload_pb2.Message:
    return payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(json=data)])


def _bad_request(data: bytes) -> payload_pb2.Message:
    asked = payload_pb2.ToolRequest(id="1", name="t", args_json=data)
    return payload_pb2.Message(role=payload_pb2.ROLE_ASSISTANT, tool_requests=[asked])


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [USER, payload_pb2.Message()]}, "messages[1].role"),
        ({"messages": [payload_pb2.Message(role=9)]}, "messages[0].role"),
        ({"messages": [_bad_block(b"[]")]}, "messages[0].content[0].json"),
        ({"messages": [USER, _bad_request(b"{")]}, "messages[1].tool_requests[0].args_json"),
        ({"messages": [USER], "state_json": b'{"a": 18446744073709551616}'}, "state_json"),
    ],
)
def test_an_agents_input_is_judged_by_field(asked: dict[str, Any], field: str) -> None:
    checks = Checks(_service("agent"), agent_pb2.AgentServiceDescribeResponse())
    request = agent_pb2.AgentServiceRunRequest(input=agent_pb2.AgentInput(target="mine", **asked))
    with pytest.raises(ServedError) as refused:
        checks.request(_method("agent", "Run"), request.SerializeToString())
    assert (refused.value.reason, refused.value.fields[0][0]) == ("REQUEST_MALFORMED", field)


def test_a_models_offers_are_judged_too() -> None:
    checks = Checks(_service("model"), model_pb2.ModelServiceDescribeResponse())
    offer = model_pb2.ToolOffer(name="t", input_schema_json=b"[]")
    prompt = model_pb2.Prompt(target="mine", messages=[USER], tools=[offer])
    request = model_pb2.ModelServiceGenerateRequest(prompt=prompt)
    with pytest.raises(ServedError) as refused:
        checks.request(_method("model", "Generate"), request.SerializeToString())
    assert refused.value.fields[0][0] == "tools[0].input_schema_json"


def test_requests_of_other_kinds_are_let_through() -> None:
    retrieve = retriever_pb2.RetrieverServiceRetrieveRequest(target="mine", query="q", parameters_json=b'{"k": 2}')
    checks = Checks(_service("retriever"), retriever_pb2.RetrieverServiceDescribeResponse())
    assert checks.request(_method("retriever", "Retrieve"), retrieve.SerializeToString()).query == "q"
    embed = embedding_pb2.EmbeddingServiceEmbedRequest(target="mine", texts=["a"])
    checks = Checks(_service("embedding"), embedding_pb2.EmbeddingServiceDescribeResponse())
    assert checks.request(_method("embedding", "Embed"), embed.SerializeToString()).texts == ["a"]
