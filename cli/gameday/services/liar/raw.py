"""A gRPC server that is no runtime: it is healthy and describes itself, and what it answers then breaks the contract.

Which lie is told stands in the arguments of the call. Run as `python raw.py SOCKET`; it ends with whoever started it.
"""

import asyncio
import hashlib
import json
import sys

import grpc
from firebreak.v1 import model_pb2, payload_pb2, tool_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVICE = "firebreak.v1.ToolService"
SCHEMA = b'{"properties":{"lie":{"type":"string"}},"type":"object"}'
DONE = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=[payload_pb2.ContentBlock(text="done")])
OTHER = model_pb2.ModelServiceGenerateResponse(message=payload_pb2.Message(id="not what was asked for"))
GARBAGE = b"\xff\xfe\xfd no protobuf at all"


def event(seq: int, **content: object) -> bytes:
    return tool_pb2.ToolServiceStreamResponse(seq=seq, **content).SerializeToString()


PROGRESS = tool_pb2.ToolProgress(data_json=b"1")
ANSWER = tool_pb2.ToolServiceCallResponse(result=DONE).SerializeToString()
UNARY = {
    "garbage": [GARBAGE],
    "other message": [OTHER.SerializeToString()],
    "two ends": [ANSWER, ANSWER],
    "nothing": [],
    "empty": [b""],
}
STREAMS = {
    "garbage": [event(1, progress=PROGRESS), GARBAGE],
    "other message": [OTHER.SerializeToString()],
    "two ends": [event(1, result=DONE), event(2, result=DONE)],
    "no end": [event(1, progress=PROGRESS)],
    "nothing": [],
    "wrong number": [event(1, progress=PROGRESS), event(7, result=DONE)],
}


def lie_in(call: tool_pb2.ToolCall) -> str:
    return str(json.loads(call.args_json)["lie"])


async def describe(_request: bytes, _context: object) -> bytes:
    spec = tool_pb2.ToolSpec(
        name="liar",
        description="Lies.",
        input_schema_json=SCHEMA,
        schema_sha256=hashlib.sha256(SCHEMA).hexdigest(),
        version="1.0.0",
    )
    return tool_pb2.ToolServiceDescribeResponse(spec=spec).SerializeToString()


async def call(request: bytes, context: grpc.aio.ServicerContext) -> None:
    """A unary method, served as a stream: on the wire they are the same, and so it can answer twice or not at all."""
    lie = lie_in(tool_pb2.ToolServiceCallRequest.FromString(request).call)
    if lie == "bare status":
        await context.abort(grpc.StatusCode.UNKNOWN, "a text with a secret in it: hunter2")
    for message in UNARY[lie]:
        await context.write(message)


async def stream(request: bytes, context: grpc.aio.ServicerContext) -> None:
    for message in STREAMS[lie_in(tool_pb2.ToolServiceStreamRequest.FromString(request).call)]:
        await context.write(message)


async def serve(socket: str) -> None:
    server = grpc.aio.server()
    healthy = health.aio.HealthServicer()
    await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    handlers = {
        "Describe": grpc.unary_unary_rpc_method_handler(describe),
        "Call": grpc.unary_stream_rpc_method_handler(call),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    print("serving", flush=True)
    await asyncio.to_thread(sys.stdin.read)  # nothing ever comes; the end of the file is the end of whoever started it


asyncio.run(serve(sys.argv[1]))
