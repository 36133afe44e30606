"""The protobuf types of each method's request and answer, for those who look into what was recorded."""

from __future__ import annotations

from firebreak.v1 import agent_pb2, catalog_pb2, decision_pb2, embedding_pb2, model_pb2, retriever_pb2, tool_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_FILES = (agent_pb2, catalog_pb2, decision_pb2, embedding_pb2, model_pb2, retriever_pb2, tool_pb2)

TERMINAL = frozenset({"result", "run_finished", "finished"})
"""Events that end a stream and hold all of its answer."""

_TYPES: dict[str, tuple[type[Message], type[Message]]] = {
    f"/{service.full_name}/{method.name}": (GetMessageClass(method.input_type), GetMessageClass(method.output_type))
    for file in _FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def known(method: str) -> bool:
    """Whether this is the full name of a method whose messages can be read."""
    return method in _TYPES


def request_type(method: str) -> type[Message] | None:
    """The type of a request to `method`, a full name; None for an unknown one."""
    types = _TYPES.get(method)
    return types[0] if types else None


def answer_type(method: str) -> type[Message] | None:
    """The type of each of `method`'s response messages; None for an unknown method."""
    types = _TYPES.get(method)
    return types[1] if types else None


def is_json(field: FieldDescriptor) -> bool:
    """Whether a bytes field holds JSON: its name says so."""
    return field.name == "json" or field.name.endswith("_json")
