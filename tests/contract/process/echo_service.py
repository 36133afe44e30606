"""A tool service written by hand: what any service in any language does to stand behind the gateway.

Its arguments are {"text": …}. Some texts have an effect: "wait" answers when the file `release` is there, "die" ends the
process, "metadata" answers with the keys that came with the call.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from firebreak.v1 import payload_pb2, tool_pb2, tool_pb2_grpc
from grpc_health.v1 import health, health_pb2_grpc

SCHEMA = json.dumps(
    {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"], "additionalProperties": False}
).encode()


class Echo(tool_pb2_grpc.ToolServiceServicer):
    async def Describe(self, request: Any, context: Any) -> Any:
        spec = tool_pb2.ToolSpec(
            name="echo",
            description="Says it again.",
            input_schema_json=SCHEMA,
            effect=payload_pb2.EFFECT_READ,
            schema_sha256=hashlib.sha256(SCHEMA).hexdigest(),
            framework=payload_pb2.Framework(package="none", version="1", python="3", core_version="1"),
            version="1.0.0",
        )
        return tool_pb2.ToolServiceDescribeResponse(spec=spec)

    async def Call(self, request: Any, context: Any) -> Any:
        return tool_pb2.ToolServiceCallResponse(result=await answer(request.call, context))

    async def Stream(self, request: Any, context: Any) -> Any:
        for seq in (1, 2, 3):
            yield tool_pb2.ToolServiceStreamResponse(seq=seq, progress=tool_pb2.ToolProgress(data_json=b"%d" % seq))
        yield tool_pb2.ToolServiceStreamResponse(seq=4, result=await answer(request.call, context))


async def answer(call: Any, context: Any) -> Any:
    text = json.loads(call.args_json)["text"]
    if text == "die":
        os._exit(1)
    if text == "wait":
        Path("waiting").touch()
        while not Path("release").exists():
            await asyncio.sleep(0.01)
    if text == "metadata":
        text = json.dumps(sorted(key for key, _ in context.invocation_metadata()))
    content = [payload_pb2.ContentBlock(text=text)]
    return tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=content)


async def main(address: str) -> None:
    server = grpc.aio.server()
    tool_pb2_grpc.add_ToolServiceServicer_to_server(Echo(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
