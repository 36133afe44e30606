"""A model service written by hand that answers always the same and reports no tokens."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc.aio
from firebreak.v1 import model_pb2, model_pb2_grpc, payload_pb2
from grpc_health.v1 import health, health_pb2_grpc

MESSAGE = payload_pb2.Message(role=payload_pb2.ROLE_ASSISTANT, content=[payload_pb2.ContentBlock(text="Yes.")])


class Model(model_pb2_grpc.ModelServiceServicer):
    async def Describe(self, request: Any, context: Any) -> Any:
        framework = payload_pb2.Framework(package="none", version="1", python="3", core_version="1")
        spec = model_pb2.ModelSpec(name="model", description="Agrees.", framework=framework, version="1.0.0")
        return model_pb2.ModelServiceDescribeResponse(spec=spec)

    async def Generate(self, request: Any, context: Any) -> Any:
        return model_pb2.ModelServiceGenerateResponse(message=MESSAGE)


async def main(address: str) -> None:
    server = grpc.aio.server()
    model_pb2_grpc.add_ModelServiceServicer_to_server(Model(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
