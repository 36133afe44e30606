"""Health in the clear beside a listener with TLS: for a kubelet, whose gRPC probe shows no certificate."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc

_OPTIONS = (("grpc.max_receive_message_length", 1024), ("grpc.so_reuseport", 0))
"""A question is a name."""


class HealthServer:
    """Serves grpc.health.v1 at `address` ("host:port") as `servicer` says; any other method is UNIMPLEMENTED."""

    def __init__(self, servicer: Any, address: str) -> None:
        self._servicer = servicer
        self._address = address
        self._server: Any = None

    async def start(self) -> None:
        """Raises OSError where the address cannot be had."""
        self._server = grpc.aio.server(options=_OPTIONS)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, self._server)
        try:
            self._server.add_insecure_port(self._address)
        except RuntimeError:
            raise OSError(f"cannot listen on {self._address}") from None
        await self._server.start()

    async def stop(self) -> None:
        """Ends it at once: nobody waits for more of health than an answer."""
        await self._server.stop(None)
