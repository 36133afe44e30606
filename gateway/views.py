"""From a request's bytes to the view that stages and policy read. The bytes themselves are forwarded as they came."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, payload_pb2, retriever_pb2, tool_pb2
from google.protobuf.message import DecodeError, Message

from gateway.arguments import MAX_NAME, has_control, parse_object
from gateway.call import View
from gateway.errors import CallError, FieldViolation, Reason
from gateway.routes import Action, Kind, Method

_ROLES = {
    payload_pb2.ROLE_SYSTEM: "system",
    payload_pb2.ROLE_USER: "user",
    payload_pb2.ROLE_ASSISTANT: "assistant",
    payload_pb2.ROLE_TOOL: "tool",
}
_SHA256 = re.compile("[0-9a-f]{64}")


def read(method: Method, request: bytes) -> View:
    """The view of a `request` to `method`.

    Raises CallError: REQUEST_MALFORMED naming the field for what is no such request, ARGUMENTS_INVALID for JSON that is not
    well-formed. Whether the target exists is not looked at, only that one is named.
    """
    parse, view = _READERS[method.name]
    try:
        message = parse(request)
    except DecodeError:
        raise _malformed("request", f"is not the protobuf message of {method.name}") from None
    found = view(message)
    if not found.target:
        raise _malformed(target_field(method), "is empty; name the service to call")
    return found


def _describe(request: Any) -> View:
    return View(request.target)


def _tool(request: Any) -> View:
    _present(request, "call")
    call = request.call
    _name("call.tool_call_id", call.tool_call_id)
    _name("call.idempotency_key", call.idempotency_key)
    if call.expect_schema_sha256 and not _SHA256.fullmatch(call.expect_schema_sha256):
        raise _malformed("call.expect_schema_sha256", "is not a SHA-256 in lower-case hexadecimal")
    args = parse_object(call.args_json, "args")
    injected = parse_object(call.injected_json, "call.injected_json") if call.injected_json else {}
    return View(
        call.target,
        args=args,
        args_json=call.args_json,
        injected=tuple(injected),
        tool_call_id=call.tool_call_id,
        expect_schema_sha256=call.expect_schema_sha256,
        idempotency_key=call.idempotency_key,
    )


def _agent(request: Any) -> View:
    _present(request, "input")
    given = request.input
    _optional_object("input.state_json", given.state_json)
    if not given.messages and not given.state_json:
        raise _malformed("input.messages", "is empty; send at least one message")
    return View(given.target, prompt=_prompt("input", given.messages, (), len(given.state_json)))


def _model(request: Any) -> View:
    _present(request, "prompt")
    given = request.prompt
    if not given.messages:
        raise _malformed("prompt.messages", "is empty; send at least one message")
    _optional_object("prompt.parameters_json", given.parameters_json)
    _name("prompt.tool_choice", given.tool_choice)
    tools = tuple(_offered(f"prompt.tools[{n}]", tool) for n, tool in enumerate(given.tools))
    return View(given.target, prompt=_prompt("prompt", given.messages, tools, 0))


def _retriever(request: Any) -> View:
    _optional_object("parameters_json", request.parameters_json)
    return View(request.target)


def _embedding(request: Any) -> View:
    if request.use not in embedding_pb2.EmbeddingUse.values():
        raise _malformed("use", "is not a use that this gateway knows")
    return View(request.target)


def _prompt(field: str, messages: Iterable[Any], tools: tuple[str, ...], characters: int) -> dict[str, Any]:
    """The numbers and names that policy reads of a prompt. JSON counts with its bytes, text with its characters."""
    roles: list[str] = []
    count = 0
    for count, message in enumerate(messages, 1):
        characters += _message(f"{field}.messages[{count - 1}]", message)
        roles.append(_ROLES[message.role])
    return {"messages": count, "characters": characters, "roles": list(dict.fromkeys(roles)), "tools": list(tools)}


def _message(field: str, message: Any) -> int:
    """Checks one message; returns its size."""
    if message.role not in _ROLES:
        raise _malformed(f"{field}.role", "is none of system, user, assistant and tool")
    for part in ("tool_call_id", "name", "id"):
        _name(f"{field}.{part}", getattr(message, part))
    _optional_object(f"{field}.metadata_json", message.metadata_json)
    size = sum(_block(f"{field}.content[{n}]", block) for n, block in enumerate(message.content))
    return size + sum(_tool_request(f"{field}.tool_requests[{n}]", asked) for n, asked in _asked(field, message))


def _asked(field: str, message: Any) -> Iterable[tuple[int, Any]]:
    if message.tool_requests and message.role != payload_pb2.ROLE_ASSISTANT:
        raise _malformed(f"{field}.tool_requests", "is only for the role assistant")
    if message.tool_call_id and message.role != payload_pb2.ROLE_TOOL:
        raise _malformed(f"{field}.tool_call_id", "is only for the role tool")
    return enumerate(message.tool_requests)


def _block(field: str, block: Any) -> int:
    kind = block.WhichOneof("block")
    if kind == "text":
        return len(block.text)
    if kind is None:
        raise _malformed(field, "is neither text nor json")
    content = parse_object(block.json, f"{field}.json", Reason.REQUEST_MALFORMED)
    if not isinstance(content.get("type"), str):
        raise _malformed(f"{field}.json", 'has no "type"')
    return len(block.json)


def _tool_request(field: str, asked: Any) -> int:
    _name(f"{field}.id", asked.id)
    _name(f"{field}.name", asked.name, required=True)
    parse_object(asked.args_json, f"{field}.args_json", Reason.REQUEST_MALFORMED)
    return len(asked.args_json)


def _offered(field: str, tool: Any) -> str:
    _name(f"{field}.name", tool.name, required=True)
    _optional_object(f"{field}.input_schema_json", tool.input_schema_json)
    name: str = tool.name
    return name


def _present(request: Any, field: str) -> None:
    if not request.HasField(field):
        raise _malformed(field, "is missing")


def _optional_object(field: str, data: bytes) -> None:
    if data:
        parse_object(data, field, Reason.REQUEST_MALFORMED)


def _name(field: str, value: str, *, required: bool = False) -> None:
    """Identifiers end up in logs and on screens: they are short and printable."""
    if required and not value:
        raise _malformed(field, "is empty")
    if len(value) > MAX_NAME:
        raise _malformed(field, f"is longer than {MAX_NAME} characters")
    if value and has_control(value):
        raise _malformed(field, "has a control character")


def _malformed(field: str, description: str) -> CallError:
    violation = FieldViolation(field, description)
    return CallError(Reason.REQUEST_MALFORMED, f'The field "{field}" {description}.', fields=(violation,))


_Reader = tuple[Callable[[bytes], Message], Callable[[Any], View]]

_READERS: dict[str, _Reader] = {
    "/firebreak.v1.ToolService/Describe": (tool_pb2.ToolServiceDescribeRequest.FromString, _describe),
    "/firebreak.v1.ToolService/Call": (tool_pb2.ToolServiceCallRequest.FromString, _tool),
    "/firebreak.v1.ToolService/Stream": (tool_pb2.ToolServiceStreamRequest.FromString, _tool),
    "/firebreak.v1.AgentService/Describe": (agent_pb2.AgentServiceDescribeRequest.FromString, _describe),
    "/firebreak.v1.AgentService/Invoke": (agent_pb2.AgentServiceInvokeRequest.FromString, _agent),
    "/firebreak.v1.AgentService/Run": (agent_pb2.AgentServiceRunRequest.FromString, _agent),
    "/firebreak.v1.ModelService/Describe": (model_pb2.ModelServiceDescribeRequest.FromString, _describe),
    "/firebreak.v1.ModelService/Generate": (model_pb2.ModelServiceGenerateRequest.FromString, _model),
    "/firebreak.v1.ModelService/Stream": (model_pb2.ModelServiceStreamRequest.FromString, _model),
    "/firebreak.v1.RetrieverService/Describe": (retriever_pb2.RetrieverServiceDescribeRequest.FromString, _describe),
    "/firebreak.v1.RetrieverService/Retrieve": (retriever_pb2.RetrieverServiceRetrieveRequest.FromString, _retriever),
    "/firebreak.v1.EmbeddingService/Describe": (embedding_pb2.EmbeddingServiceDescribeRequest.FromString, _describe),
    "/firebreak.v1.EmbeddingService/Embed": (embedding_pb2.EmbeddingServiceEmbedRequest.FromString, _embedding),
}

_WRAPPERS = {Kind.TOOL: "call", Kind.AGENT: "input", Kind.MODEL: "prompt"}


def target_field(method: Method) -> str:
    """Path of the field that names the target in a request to `method`."""
    wrapper = _WRAPPERS.get(method.kind) if method.kind else None
    return f"{wrapper}.target" if wrapper and method.action is Action.CALL else "target"
