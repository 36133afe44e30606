"""A tool service that answers at once, so that what a benchmark measures lies in front of it.

A stream has as many events as its argument says; a call with the argument HOLD ends when its caller cancels it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from firebreak.v1 import payload_pb2, tool_pb2, tool_pb2_grpc
from grpc_health.v1 import health, health_pb2_grpc

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"expression": {"type": "string", "maxLength": 1000}},
        "required": ["expression"],
        "additionalProperties": False,
    }
).encode()

HOLD = b'{"expression": "hold"}'


class Calculator(tool_pb2_grpc.ToolServiceServicer):
    """Describes itself as a calculator and gives every call the same result."""

    async def Describe(self, request: Any, context: Any) -> Any:  # noqa: ARG002 - grpc's shape
        spec = tool_pb2.ToolSpec(
            name="calculator",
            input_schema_json=SCHEMA,
            schema_sha256=hashlib.sha256(SCHEMA).hexdigest(),
            effect=payload_pb2.EFFECT_READ,
            version="1.0.0",
        )
        return tool_pb2.ToolServiceDescribeResponse(spec=spec)

    async def Call(self, request: Any, context: Any) -> Any:  # noqa: ARG002 - grpc's shape
        if request.call.args_json == HOLD:
            await asyncio.Event().wait()
        return tool_pb2.ToolServiceCallResponse(result=_result())

    async def Stream(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ARG002 - grpc's shape
        events = int(json.loads(request.call.args_json)["expression"])
        progress = tool_pb2.ToolProgress(data_json=b'"half of it"')
        for number in range(1, events):
            yield tool_pb2.ToolServiceStreamResponse(seq=number, progress=progress)
        yield tool_pb2.ToolServiceStreamResponse(seq=events, result=_result())


def _result() -> Any:
    content = [payload_pb2.ContentBlock(text="7006652")]
    return tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=content)


def _credentials(identity: Path) -> Any:
    """Those of a service that shows a certificate and asks for one."""
    key, certificate, ca = ((identity / name).read_bytes() for name in ("gateway.key", "gateway.crt", "ca.crt"))
    return grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)


async def main(address: str, secure: str = "", identity: str = "") -> None:
    """Serves on `address`, and with the certificates in the folder `identity` on `secure` too."""
    server = grpc.aio.server()
    tool_pb2_grpc.add_ToolServiceServicer_to_server(Calculator(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(address)
    if secure:
        server.add_secure_port(secure, _credentials(Path(identity)))
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
