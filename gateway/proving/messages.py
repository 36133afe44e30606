"""Probes on the wire: the request that a probe makes of a target of each kind, and what the answer says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, payload_pb2, retriever_pb2, tool_pb2

from gateway.config import DenyProbe, ServiceConfig
from gateway.routes import METHODS, Kind, Method
from gateway.targets import Target

HELLO = "hello"
"""What a stranger says where no probe of the service's own says what may be said."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says: `text` is what a probe may expect something in, `failure` is a tool's own, in its words."""

    text: str
    failure: str = ""


def method_of(target: Target, action: str) -> Method:
    """The unary method of Firebreak's contract that does `action` to a target of this kind; of a route one of its methods."""
    if target.routed is not None:
        return target.routed.example
    service = f"/firebreak.v1.{target.kind.value.capitalize()}Service/"
    return METHODS[service + ("Describe" if action == "describe" else _CALLS[target.kind])]


def request_of(target: Target, probe: DenyProbe) -> bytes:
    """The request message of `probe`; a route gets an empty one."""
    if target.routed is not None:
        return b""
    make = _DESCRIBES[target.kind] if probe.action == "describe" else _REQUESTS[target.kind]
    message: Any = make(target.name, probe)
    return bytes(message.SerializeToString())


def stranger(target: Target, principal: str) -> tuple[DenyProbe, ...]:
    """The probes of somebody whom no grant names, who asks for what the service's first own probe asks for."""
    name, config = "stranger", target.config
    calls = [each for each in config.probes.allow if each.action == "call"] if isinstance(config, ServiceConfig) else []
    like = calls[0] if calls else None
    call = DenyProbe.model_validate(
        {
            "name": name,
            "as": principal,
            "args": like.args if like else {},
            "prompt": like.prompt if like else HELLO,
        }
    )
    describe = DenyProbe.model_validate({"name": name, "as": principal, "action": "describe"})
    return (call,) if target.routed is not None else (describe, call)


def read(method: Method, response: bytes) -> Said:
    """What the response message of `method` says. It is a whole one: Forward has seen to that."""
    return _READERS[method.name](response)


def _user(text: str | None) -> Any:
    return payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(text=text or HELLO)])


def _tool(name: str, probe: DenyProbe) -> Any:
    call = tool_pb2.ToolCall(target=name, args_json=orjson.dumps(probe.args or {}))
    return tool_pb2.ToolServiceCallRequest(call=call)


def _agent(name: str, probe: DenyProbe) -> Any:
    return agent_pb2.AgentServiceInvokeRequest(input=agent_pb2.AgentInput(target=name, messages=[_user(probe.prompt)]))


def _model(name: str, probe: DenyProbe) -> Any:
    return model_pb2.ModelServiceGenerateRequest(prompt=model_pb2.Prompt(target=name, messages=[_user(probe.prompt)]))


def _retriever(name: str, probe: DenyProbe) -> Any:
    return retriever_pb2.RetrieverServiceRetrieveRequest(target=name, query=probe.prompt or HELLO)


def _embedding(name: str, probe: DenyProbe) -> Any:
    return embedding_pb2.EmbeddingServiceEmbedRequest(target=name, texts=[probe.prompt or HELLO])


def _describes(request: Callable[..., Any]) -> Callable[[str, DenyProbe], Any]:
    return lambda name, _probe: request(target=name)


def _texts(blocks: Iterable[Any]) -> str:
    return "\n".join(block.text or block.json.decode("utf-8", "replace") for block in blocks)


def _result(response: bytes) -> Said:
    result = tool_pb2.ToolServiceCallResponse.FromString(response).result
    text = _texts(result.content)
    if result.status == tool_pb2.TOOL_STATUS_OK:
        return Said(text)
    return Said(text, f"{tool_pb2.ToolStatus.Name(result.status)[12:]}: {result.error_message or text}")


def _run(response: bytes) -> Said:
    result = agent_pb2.AgentServiceInvokeResponse.FromString(response).result
    return Said(_texts(result.message.content) + result.state_json.decode("utf-8", "replace"))


def _message(response: bytes) -> Said:
    return Said(_texts(model_pb2.ModelServiceGenerateResponse.FromString(response).message.content))


def _spec(response_type: Any) -> Callable[[bytes], Said]:
    def reader(response: bytes) -> Said:
        spec = response_type.FromString(response).spec
        return Said(f"{spec.name} {spec.version}\n{spec.description}")

    return reader


_CALLS = {
    Kind.TOOL: "Call",
    Kind.AGENT: "Invoke",
    Kind.MODEL: "Generate",
    Kind.RETRIEVER: "Retrieve",
    Kind.EMBEDDING: "Embed",
}

_REQUESTS: dict[Kind, Callable[[str, DenyProbe], Any]] = {
    Kind.TOOL: _tool,
    Kind.AGENT: _agent,
    Kind.MODEL: _model,
    Kind.RETRIEVER: _retriever,
    Kind.EMBEDDING: _embedding,
}

_DESCRIBES: dict[Kind, Callable[[str, DenyProbe], Any]] = {
    Kind.TOOL: _describes(tool_pb2.ToolServiceDescribeRequest),
    Kind.AGENT: _describes(agent_pb2.AgentServiceDescribeRequest),
    Kind.MODEL: _describes(model_pb2.ModelServiceDescribeRequest),
    Kind.RETRIEVER: _describes(retriever_pb2.RetrieverServiceDescribeRequest),
    Kind.EMBEDDING: _describes(embedding_pb2.EmbeddingServiceDescribeRequest),
}

_READERS: dict[str, Callable[[bytes], Said]] = {
    "/firebreak.v1.ToolService/Call": _result,
    "/firebreak.v1.AgentService/Invoke": _run,
    "/firebreak.v1.ModelService/Generate": _message,
    "/firebreak.v1.ToolService/Describe": _spec(tool_pb2.ToolServiceDescribeResponse),
    "/firebreak.v1.AgentService/Describe": _spec(agent_pb2.AgentServiceDescribeResponse),
    "/firebreak.v1.ModelService/Describe": _spec(model_pb2.ModelServiceDescribeResponse),
    "/firebreak.v1.RetrieverService/Describe": _spec(retriever_pb2.RetrieverServiceDescribeResponse),
    "/firebreak.v1.EmbeddingService/Describe": _spec(embedding_pb2.EmbeddingServiceDescribeResponse),
}
