"""LangChain's messages, content and documents as firebreak.v1 payload, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from firebreak.v1 import payload_pb2, retriever_pb2
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call

from firebreak_runtime.json_values import JsonError, dumps, dumps_marked, loads_object

_ROLES: tuple[tuple[type[BaseMessage], payload_pb2.Role], ...] = (
    (AIMessage, payload_pb2.ROLE_ASSISTANT),
    (HumanMessage, payload_pb2.ROLE_USER),
    (SystemMessage, payload_pb2.ROLE_SYSTEM),
    (ToolMessage, payload_pb2.ROLE_TOOL),
)
_NAMED_ROLES = {
    "assistant": payload_pb2.ROLE_ASSISTANT,
    "ai": payload_pb2.ROLE_ASSISTANT,
    "user": payload_pb2.ROLE_USER,
    "human": payload_pb2.ROLE_USER,
    "system": payload_pb2.ROLE_SYSTEM,
    "developer": payload_pb2.ROLE_SYSTEM,
}
_TOKENS = ("input_tokens", "output_tokens", "total_tokens")

# What LangChain keeps beside response_metadata and the contract has no field of its own for travels in metadata_json
# under these keys, so that providers which need it in the next turn (signatures, reasoning) find it again.
_KWARGS = "additional_kwargs"
_USAGE_DETAILS = "usage_details"


class ConvertError(ValueError):
    """Something has no place on the other side. The text names the part and holds no value."""


def to_message(message: BaseMessage) -> payload_pb2.Message:
    """One whole message. Raises ConvertError for a kind of message that the contract does not know."""
    wire = to_envelope(message)
    if isinstance(message, AIMessage):
        wire.tool_requests.extend(_requests(message))
    elif isinstance(message, ToolMessage):
        wire.tool_call_id = message.tool_call_id
        wire.tool_failed = message.status == "error"
    return wire


def to_envelope(message: BaseMessage) -> payload_pb2.Message:
    """A message without its tool calls: role, content, name, id, usage and metadata."""
    wire = payload_pb2.Message(
        role=role_of(message), content=to_content(message.content), name=message.name or "", id=message.id or ""
    )
    metadata = dict(message.response_metadata)
    if isinstance(message, AIMessage):
        metadata.update(_add_usage(wire, message))
        if message.additional_kwargs:
            metadata[_KWARGS] = message.additional_kwargs
    if metadata:
        wire.metadata_json = dumps_marked(metadata)
    return wire


def role_of(message: BaseMessage) -> payload_pb2.Role:
    """Who speaks. Raises ConvertError."""
    for kind, role in _ROLES:
        if isinstance(message, kind):
            return role
    role_named = _NAMED_ROLES.get(message.role) if isinstance(message, ChatMessage) else None
    if role_named is None:
        raise ConvertError(f"a {type(message).__name__} has no role in firebreak.v1")
    return role_named


def from_message(wire: payload_pb2.Message) -> BaseMessage:
    """The LangChain message. Raises ConvertError where role, content or metadata are malformed."""
    content = from_content(wire.content)
    common: dict[str, Any] = {"content": content, "name": wire.name or None, "id": wire.id or None}
    metadata = _metadata(wire)
    if wire.role == payload_pb2.ROLE_ASSISTANT:
        return AIMessage(**common, **assistant_fields(wire, metadata), **_tool_calls(wire.tool_requests))
    if wire.role == payload_pb2.ROLE_USER:
        return HumanMessage(**common, response_metadata=metadata)
    if wire.role == payload_pb2.ROLE_SYSTEM:
        return SystemMessage(**common, response_metadata=metadata)
    if wire.role == payload_pb2.ROLE_TOOL:
        status = "error" if wire.tool_failed else "success"
        return ToolMessage(**common, tool_call_id=wire.tool_call_id, status=status, response_metadata=metadata)
    raise ConvertError("role is not set")


def assistant_fields(wire: payload_pb2.Message, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """Metadata, usage and additional_kwargs of an assistant's message, as LangChain's constructor takes them."""
    metadata = _metadata(wire) if metadata is None else metadata
    kwargs, details = metadata.pop(_KWARGS, None), metadata.pop(_USAGE_DETAILS, None)
    fields: dict[str, Any] = {"response_metadata": metadata}
    if isinstance(kwargs, dict):
        fields["additional_kwargs"] = kwargs
    if wire.HasField("usage"):
        tokens = {name: getattr(wire.usage, name) for name in _TOKENS}
        fields["usage_metadata"] = {**tokens, **(details if isinstance(details, dict) else {})}
    return fields


def to_content(content: str | list[Any]) -> list[payload_pb2.ContentBlock]:
    """Content blocks. A plain text is one text block, an empty one is none."""
    if isinstance(content, str):
        return [payload_pb2.ContentBlock(text=content)] if content else []
    # A list of one text is written as JSON, or it would come back as a plain text.
    alone = len(content) == 1
    return [_to_block(block, alone) for block in content]


def _to_block(block: Any, alone: bool) -> payload_pb2.ContentBlock:
    block = {"type": "text", "text": block} if isinstance(block, str) else block
    if not isinstance(block, dict):
        raise ConvertError("a content block is neither a text nor an object")
    text = block.get("text")
    if not alone and block.get("type") == "text" and isinstance(text, str) and len(block) == 2:
        return payload_pb2.ContentBlock(text=text)
    try:
        return payload_pb2.ContentBlock(json=dumps(block))
    except JsonError as error:
        raise ConvertError(f"a content block cannot be written as JSON: {error}") from None


def from_content(blocks: Iterable[payload_pb2.ContentBlock]) -> str | list[str | dict[Any, Any]]:
    """LangChain's content: a plain text for a single text block, else a list of blocks. Raises ConvertError."""
    found = list(blocks)
    if not found:
        return ""
    if len(found) == 1 and found[0].WhichOneof("block") == "text":
        return str(found[0].text)
    return [_from_block(block) for block in found]


def _from_block(block: payload_pb2.ContentBlock) -> dict[Any, Any]:
    if block.WhichOneof("block") == "text":
        return {"type": "text", "text": block.text}
    try:
        value = loads_object(block.json)
    except JsonError as error:
        raise ConvertError(f"a content block is wrong: {error}") from None
    if not isinstance(value.get("type"), str):
        raise ConvertError('a content block is wrong: it has no "type"')
    return value


def text_of(content: str | list[Any]) -> str:
    """What a person reads of a message's content."""
    if isinstance(content, str):
        return content
    texts = [b if isinstance(b, str) else b.get("text") if b.get("type") == "text" else None for b in content]
    return "".join(text for text in texts if isinstance(text, str))


def to_document(document: Document) -> retriever_pb2.Document:
    """One document that a retriever found."""
    wire = retriever_pb2.Document(id=getattr(document, "id", None) or "", page_content=document.page_content)
    if document.metadata:
        wire.metadata_json = dumps_marked(document.metadata)
    return wire


def from_document(wire: retriever_pb2.Document) -> Document:
    """The LangChain document. Raises ConvertError."""
    try:
        metadata = loads_object(wire.metadata_json)
    except JsonError as error:
        raise ConvertError(f"a document's metadata is wrong: {error}") from None
    return Document(id=wire.id or None, page_content=wire.page_content, metadata=metadata)


def total_usage(messages: Iterable[BaseMessage]) -> payload_pb2.Usage:
    """Tokens of all these messages together."""
    total = payload_pb2.Usage()
    for message in messages:
        for name in _TOKENS:
            used = getattr(message, "usage_metadata", None) or {}
            setattr(total, name, getattr(total, name) + used.get(name, 0))
    return total


def _requests(message: AIMessage) -> list[payload_pb2.ToolRequest]:
    found = []
    for index, call in enumerate(message.tool_calls):
        try:
            args = dumps(call["args"])
        except JsonError as error:
            raise ConvertError(f"arguments of a tool call cannot be written as JSON: {error}") from None
        found.append(payload_pb2.ToolRequest(id=call["id"] or "", name=call["name"], args_json=args, index=index))
    for index, broken in enumerate(message.invalid_tool_calls, start=len(found)):
        text = (broken["args"] or "").encode("utf-8", "replace")
        found.append(
            payload_pb2.ToolRequest(id=broken["id"] or "", name=broken["name"] or "", args_json=text, index=index)
        )
    return found


def _tool_calls(requests: Iterable[payload_pb2.ToolRequest]) -> dict[str, Any]:
    """Tool calls; what a model wrote that is no JSON object becomes an invalid one, as LangChain has it."""
    calls = [_tool_call(request) for request in requests]
    return {
        "tool_calls": [call for call in calls if call["type"] == "tool_call"],
        "invalid_tool_calls": [call for call in calls if call["type"] == "invalid_tool_call"],
    }


def _tool_call(request: payload_pb2.ToolRequest) -> Any:
    try:
        return tool_call(name=request.name, args=loads_object(request.args_json), id=request.id or None)
    except JsonError as error:
        text = request.args_json.decode("utf-8", "replace")
        return invalid_tool_call(name=request.name, args=text, id=request.id or None, error=str(error))


def _add_usage(wire: payload_pb2.Message, message: AIMessage) -> dict[str, Any]:
    usage = message.usage_metadata
    if usage is None:
        return {}
    counts: dict[str, Any] = dict(usage)
    wire.usage.CopyFrom(payload_pb2.Usage(**{name: counts.pop(name, 0) or 0 for name in _TOKENS}))
    return {_USAGE_DETAILS: counts} if counts else {}


def _metadata(wire: payload_pb2.Message) -> dict[str, Any]:
    try:
        return loads_object(wire.metadata_json)
    except JsonError as error:
        raise ConvertError(f"metadata_json is wrong: {error}") from None
