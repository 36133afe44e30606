"""The floor: the least that a Python process between caller and service can do, a bare grpc.aio proxy of bytes."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio


class Proxy:
    """Passes every unary call on: no deadline, no check, no record."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._handlers: dict[str, Any] = {}

    def service(self, details: Any) -> Any:
        handler = self._handlers.get(details.method)
        if handler is None:
            handler = self._handlers[details.method] = self._handler(details.method)
        return handler

    def _handler(self, method: str) -> Any:
        forward = self._channel.unary_unary(method)

        async def handle(request: bytes, context: Any) -> bytes:
            answer: bytes = await forward(request, metadata=context.invocation_metadata())
            return answer

        return grpc.unary_unary_rpc_method_handler(handle)


async def main(address: str, backend: str) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Proxy(grpc.aio.insecure_channel(backend)),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
