"""A call in a few words: what was asked and what came back, from the messages as they are on record."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from firebreak.client.payload import text_of
from firebreak.v1 import (
    agent_pb2,
    catalog_pb2,
    decision_pb2,
    embedding_pb2,
    model_pb2,
    payload_pb2,
    retriever_pb2,
    tool_pb2,
)
from google.protobuf.message import DecodeError

UNREADABLE = "(no message of this method)"


def asked(method: str, request: bytes) -> str:
    """The request of `method`, e.g. "/firebreak.v1.ToolService/Call", in one line; "" for one that asks nothing."""
    read = _REQUESTS.get(method)
    try:
        return "" if read is None else line(read(request))
    except DecodeError:
        return UNREADABLE


def answered(method: str, messages: Sequence[bytes]) -> str:
    """The answer in one line: of a stream its last message, which holds the whole. "" for no answer."""
    read = _ANSWERS.get(method)
    try:
        return "" if read is None or not messages else line(read(messages[-1]))
    except DecodeError:
        return UNREADABLE


def short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def line(text: str) -> str:
    """`text` in one line, harmless to a terminal."""
    return safe(" ".join(text.split()))


def safe(text: str) -> str:
    """`text` without what a terminal would obey or could not show."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _tool_request(call: tool_pb2.ToolCall) -> str:
    return _json(call.args_json)


def _json(raw: bytes) -> str:
    """JSON as it is read best: without needless quotes around a single text argument's object."""
    try:
        value = json.loads(raw or b"{}")
    except ValueError:
        return raw.decode("utf-8", "replace")
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_value(each)}" for name, each in value.items())
    return _value(value)


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _tool_result(result: tool_pb2.ToolResult) -> str:
    if result.status != tool_pb2.TOOL_STATUS_OK:
        return f"the tool failed: {result.error_message}"
    beside = (
        f"[{result.artifact.media_type or 'artifact'}, {size(len(result.artifact.data))}]"
        if result.artifact.data
        else ""
    )
    return " ".join(filter(None, (_content(result), beside)))


def _tool_event(event: tool_pb2.ToolServiceStreamResponse) -> str:
    if event.WhichOneof("event") == "result":
        return _tool_result(event.result)
    return f"unfinished, at {_json(event.progress.data_json)}"


def _agent_input(given: agent_pb2.AgentInput) -> str:
    return _last(given.messages)


def _run_event(event: agent_pb2.AgentServiceRunResponse) -> str:
    kind = event.WhichOneof("event")
    if kind == "run_finished":
        return _message(event.run_finished.message)
    return f"unfinished, at {(kind or 'an unknown event').replace('_', ' ')}"


def _prompt(prompt: model_pb2.Prompt) -> str:
    return _last(prompt.messages)


def _model_event(event: model_pb2.ModelServiceStreamResponse) -> str:
    if event.WhichOneof("event") == "finished":
        return _message(event.finished)
    return f"unfinished, at {_message(event.chunk)}"


def _last(messages: Sequence[payload_pb2.Message]) -> str:
    """What is new in a conversation: its last message."""
    if not messages:
        return ""
    said = _message(messages[-1])
    return f"{messages[-1].name or 'tool'}: {said}" if messages[-1].role == payload_pb2.ROLE_TOOL else said


def _message(message: payload_pb2.Message) -> str:
    """A message's text and the tools that it asks for."""
    wanted = [f"{request.name}({_json(request.args_json)})" for request in message.tool_requests]
    return " ".join(filter(None, (_content(message), ", ".join(wanted))))


def _content(holder: payload_pb2.Message | tool_pb2.ToolResult) -> str:
    others = sum(block.WhichOneof("block") != "text" for block in holder.content)
    return " ".join(filter(None, (text_of(holder), f"[{counted(others, 'other block')}]" if others else "")))


def _documents(found: retriever_pb2.RetrieverServiceRetrieveResponse) -> str:
    first = f": {found.documents[0].page_content}" if found.documents else ""
    return counted(len(found.documents), "document") + first


def counted(number: int, what: str) -> str:
    """ "1 call", "2 calls"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Bytes for people: "312 B", "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


_Read = Callable[[bytes], str]
_V1 = "/firebreak.v1."

_REQUESTS: dict[str, _Read] = {
    f"{_V1}ToolService/Call": lambda raw: _tool_request(tool_pb2.ToolServiceCallRequest.FromString(raw).call),
    f"{_V1}ToolService/Stream": lambda raw: _tool_request(tool_pb2.ToolServiceStreamRequest.FromString(raw).call),
    f"{_V1}AgentService/Invoke": lambda raw: _agent_input(agent_pb2.AgentServiceInvokeRequest.FromString(raw).input),
    f"{_V1}AgentService/Run": lambda raw: _agent_input(agent_pb2.AgentServiceRunRequest.FromString(raw).input),
    f"{_V1}ModelService/Generate": lambda raw: _prompt(model_pb2.ModelServiceGenerateRequest.FromString(raw).prompt),
    f"{_V1}ModelService/Stream": lambda raw: _prompt(model_pb2.ModelServiceStreamRequest.FromString(raw).prompt),
    f"{_V1}RetrieverService/Retrieve": lambda raw: retriever_pb2.RetrieverServiceRetrieveRequest.FromString(raw).query,
    f"{_V1}EmbeddingService/Embed": lambda raw: counted(
        len(embedding_pb2.EmbeddingServiceEmbedRequest.FromString(raw).texts), "text"
    ),
    f"{_V1}DecisionService/Explain": lambda raw: decision_pb2.DecisionServiceExplainRequest.FromString(raw).decision_id,
}
_ANSWERS: dict[str, _Read] = {
    f"{_V1}ToolService/Call": lambda raw: _tool_result(tool_pb2.ToolServiceCallResponse.FromString(raw).result),
    f"{_V1}ToolService/Stream": lambda raw: _tool_event(tool_pb2.ToolServiceStreamResponse.FromString(raw)),
    f"{_V1}AgentService/Invoke": lambda raw: _message(
        agent_pb2.AgentServiceInvokeResponse.FromString(raw).result.message
    ),
    f"{_V1}AgentService/Run": lambda raw: _run_event(agent_pb2.AgentServiceRunResponse.FromString(raw)),
    f"{_V1}ModelService/Generate": lambda raw: _message(model_pb2.ModelServiceGenerateResponse.FromString(raw).message),
    f"{_V1}ModelService/Stream": lambda raw: _model_event(model_pb2.ModelServiceStreamResponse.FromString(raw)),
    f"{_V1}RetrieverService/Retrieve": lambda raw: _documents(
        retriever_pb2.RetrieverServiceRetrieveResponse.FromString(raw)
    ),
    f"{_V1}EmbeddingService/Embed": lambda raw: counted(
        len(embedding_pb2.EmbeddingServiceEmbedResponse.FromString(raw).vectors), "vector"
    ),
    f"{_V1}CatalogService/List": lambda raw: counted(
        len(catalog_pb2.CatalogServiceListResponse.FromString(raw).targets), "target"
    ),
}
