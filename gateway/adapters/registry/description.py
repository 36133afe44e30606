"""What a service says of itself: its Describe answer, checked and taken apart."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, retriever_pb2, tool_pb2
from google.protobuf.message import DecodeError, Message

from gateway.routes import Kind
from gateway.targets import Description, Target

_REQUESTS: dict[Kind, type[Message]] = {
    Kind.TOOL: tool_pb2.ToolServiceDescribeRequest,
    Kind.AGENT: agent_pb2.AgentServiceDescribeRequest,
    Kind.MODEL: model_pb2.ModelServiceDescribeRequest,
    Kind.RETRIEVER: retriever_pb2.RetrieverServiceDescribeRequest,
    Kind.EMBEDDING: embedding_pb2.EmbeddingServiceDescribeRequest,
}
_RESPONSES: dict[Kind, type[Any]] = {
    Kind.TOOL: tool_pb2.ToolServiceDescribeResponse,
    Kind.AGENT: agent_pb2.AgentServiceDescribeResponse,
    Kind.MODEL: model_pb2.ModelServiceDescribeResponse,
    Kind.RETRIEVER: retriever_pb2.RetrieverServiceDescribeResponse,
    Kind.EMBEDDING: embedding_pb2.EmbeddingServiceDescribeResponse,
}


class Unusable(Exception):
    """A service answers, but cannot be used; the text says why, for the platform engineer."""


def describe_request(target: Target) -> bytes:
    """The request that asks `target` to describe itself."""
    return _REQUESTS[target.kind](target=target.name).SerializeToString()


def read_description(kind: Kind, response: bytes) -> Description:
    """Takes a Describe answer apart. Raises Unusable where it is malformed or contradicts itself."""
    try:
        spec = _RESPONSES[kind].FromString(response).spec
    except DecodeError:
        raise Unusable("its Describe answer is no valid protobuf message") from None
    if not spec.name:
        raise Unusable("its Describe answer has no name")
    return Description(
        response=response,
        name=spec.name,
        description=spec.description,
        version=spec.version,
        framework=spec.framework.package,
        framework_version=spec.framework.version,
        core_version=spec.framework.core_version,
        python=spec.framework.python,
        schema=_schema(spec) if kind is Kind.TOOL else None,
        schema_sha256=spec.schema_sha256 if kind is Kind.TOOL else "",
    )


def configured(target: Target) -> Description:
    """The description of a routed service, which nobody asks for one: its name."""
    return Description(
        response=b"",
        name=target.name,
        description="",
        version=target.config.version,
        framework="",
        framework_version="",
        core_version="",
        python="",
    )


def _schema(spec: Any) -> dict[str, Any]:
    """The arguments' JSON Schema. Validators are kept by its hash, so the hash must be the schema's own."""
    try:
        schema = orjson.loads(spec.input_schema_json)
    except orjson.JSONDecodeError:
        raise Unusable("its input_schema_json is no valid JSON") from None
    if not isinstance(schema, dict):
        raise Unusable("its input_schema_json is no JSON object")
    if hashlib.sha256(spec.input_schema_json).hexdigest() != spec.schema_sha256:
        raise Unusable("its schema_sha256 is not the hash of its input_schema_json")
    return schema
