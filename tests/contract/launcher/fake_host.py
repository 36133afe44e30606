"""Stands for the Python of a service's environment: serves health and Describe as the runtime does, without a framework.

The file `behaviour` in the service's folder says how: "ready", "broken: CAUSE", "exit", or "silent" for a host that goes on
starting. SIGTERM ends it when the file `hold` is gone from the folder.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from firebreak.v1 import payload_pb2, tool_pb2, tool_pb2_grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SCHEMA = b'{"type":"object"}'


class Tool(tool_pb2_grpc.ToolServiceServicer):
    def __init__(self, name: str, cause: str) -> None:
        self._name = name
        self._cause = cause

    async def Describe(self, request: Any, context: Any) -> Any:
        if self._cause:
            info = error_details_pb2.ErrorInfo(
                reason="TARGET_NOT_READY", domain="firebreak.dev", metadata={"cause": self._cause}
            )
            packed = any_pb2.Any()
            packed.Pack(info)
            status = status_pb2.Status(code=14, message="not ready", details=[packed])
            trailers = (("grpc-status-details-bin", status.SerializeToString()),)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not ready", trailing_metadata=trailers)
        spec = tool_pb2.ToolSpec(
            name=self._name,
            input_schema_json=SCHEMA,
            schema_sha256=hashlib.sha256(SCHEMA).hexdigest(),
            framework=payload_pb2.Framework(package="none", version="1"),
        )
        return tool_pb2.ToolServiceDescribeResponse(spec=spec)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("service", "listen", "gateway", "token-file", "grace"):
        parser.add_argument(f"--{name}", required=True)
    known, _ = parser.parse_known_args(sys.argv[sys.argv.index("firebreak_runtime") + 1 :])
    return known


async def main() -> None:
    given = options()
    folder = Path(given.service)
    behaviour, _, cause = (folder / "behaviour").read_text().strip().partition(": ")
    if behaviour == "exit":
        sys.exit("cannot go on")
    server, healthy = grpc.aio.server(), health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    tool_pb2_grpc.add_ToolServiceServicer_to_server(Tool(folder.name, cause), server)
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    await healthy.set("", serving if behaviour == "ready" else not_serving)
    if behaviour == "silent":
        await asyncio.Event().wait()
    server.add_insecure_port(given.listen)
    await server.start()
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await asked.wait()
    while (folder / "hold").exists():
        await asyncio.sleep(0.01)
    await server.stop(0)


asyncio.run(main())
