"""Calls that an agent makes by hand, with whatever credentials it likes, and what became of each."""

import asyncio
import json
import secrets
import sys
import weakref
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from firebreak.v1 import agent_pb2, model_pb2, payload_pb2, tool_pb2
from google.rpc import error_details_pb2, status_pb2

OWN = "\0own"
TOOL = ("/firebreak.v1.ToolService/Call", tool_pb2.ToolServiceCallResponse)
AGENT = ("/firebreak.v1.AgentService/Invoke", agent_pb2.AgentServiceInvokeResponse)
MODEL = ("/firebreak.v1.ModelService/Generate", model_pb2.ModelServiceGenerateResponse)
channels: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
"""One for each event loop."""


class Attempts:
    """`session` is that of the call which is being served. `OWN` stands for the credential that it rightly has."""

    def __init__(self, session: str) -> None:
        self.session = session

    def token(self) -> str:
        """The workload token of this service, which its processes can read."""
        return Path(_option("--token-file")).read_text().strip()

    async def tool(
        self, target: str, args: dict[str, Any], *, injected: dict[str, Any] | None = None, **credentials: Any
    ) -> dict[str, Any]:
        call = tool_pb2.ToolCall(target=target, args_json=json.dumps(args).encode())
        if injected is not None:
            call.injected_json = json.dumps(injected).encode()
        return await self._try(TOOL, tool_pb2.ToolServiceCallRequest(call=call), **credentials)

    async def agent(self, target: str, orders: dict[str, Any]) -> dict[str, Any]:
        asked = agent_pb2.AgentInput(target=target, messages=[_user(json.dumps(orders))])
        return await self._try(AGENT, agent_pb2.AgentServiceInvokeRequest(input=asked))

    async def model(self, target: str, text: str) -> dict[str, Any]:
        prompt = model_pb2.Prompt(target=target, messages=[_user(text)])
        return await self._try(MODEL, model_pb2.ModelServiceGenerateRequest(prompt=prompt))

    async def _try(
        self, method: Any, request: Any, *, session: str | None = OWN, token: str | None = OWN, extra: Any = ()
    ) -> dict[str, Any]:
        trace = secrets.token_hex(16)
        session = self.session if session == OWN else session
        token = self.token() if token == OWN else token
        metadata = [("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01"), *extra]
        metadata += [("firebreak-session", session)] if session is not None else []
        metadata += [("authorization", f"Bearer {token}")] if token is not None else []
        name, response = method
        call = _channel().unary_unary(name, type(request).SerializeToString, response.FromString)(
            request, metadata=metadata, timeout=10
        )
        try:
            tried = {"code": "OK", "reason": "", "text": "", **_said(await call)}
        except grpc.aio.AioRpcError as error:
            tried = _failure(error)
        ids = [value for key, value in await call.trailing_metadata() or () if key == "firebreak-call-id"]
        return {**tried, "trace": trace, "call_id": next(iter(ids), "")}


def _channel() -> Any:
    loop = asyncio.get_running_loop()
    if loop not in channels:
        channels[loop] = grpc.aio.insecure_channel(_option("--gateway"))
    return channels[loop]


def _option(name: str) -> str:
    """What the process was started with; nobody hid it."""
    return sys.argv[sys.argv.index(name) + 1]


def _user(text: str) -> Any:
    return payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(text=text)])


def _said(answer: Any) -> dict[str, Any]:
    """What another puppet told of its own attempts."""
    if not isinstance(answer, agent_pb2.AgentServiceInvokeResponse):
        return {}
    return {"said": json.loads(answer.result.message.content[0].text)}


def _failure(error: Any) -> dict[str, Any]:
    reason, metadata = "", {}
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    reason, metadata = info.reason, dict(info.metadata)
    return {"code": error.code().name, "reason": reason, "text": error.details() or "", "metadata": metadata}
