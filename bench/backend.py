"""A tool service that answers at once, so that what a benchmark measures lies in front of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from typing import Any

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
        content = [payload_pb2.ContentBlock(text="7006652")]
        result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=content)
        return tool_pb2.ToolServiceCallResponse(result=result)


async def main(address: str) -> None:
    server = grpc.aio.server()
    tool_pb2_grpc.add_ToolServiceServicer_to_server(Calculator(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
