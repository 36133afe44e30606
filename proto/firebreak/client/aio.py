"""The client for asynchronous code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import grpc

from firebreak.client import payload
from firebreak.client.connection import Connection
from firebreak.client.errors import from_rpc_error
from firebreak.client.payload import Answer, RunEvent
from firebreak.v1 import agent_pb2, agent_pb2_grpc, tool_pb2, tool_pb2_grpc


class AsyncClient:
    """Client for one event loop; the methods are those of `Client`, awaited. Make it inside the loop that uses it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        options = connection.channel_options()
        self.channel: Any = (
            grpc.aio.secure_channel(connection.address, connection.tls.credentials(), options)
            if connection.tls
            else grpc.aio.insecure_channel(connection.address, options)
        )

    @classmethod
    def local(cls, state: Path | None = None) -> AsyncClient:
        """A client of the gateway that `make run` starts; see Connection.local."""
        return cls(Connection.local(state))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()

    async def call(
        self,
        target: str,
        args: Mapping[str, Any] | str | bytes,
        *,
        timeout: float | None = None,
        idempotency_key: str = "",
    ) -> Answer:
        """Runs a tool once. `args` is a mapping, or JSON that is sent as it is."""
        request = tool_pb2.ToolServiceCallRequest(call=payload.tool_call(target, args, idempotency_key))
        response = await self._unary(tool_pb2_grpc.ToolServiceStub(self.channel).Call, request, timeout)
        return payload.answer(response.result)

    async def run(
        self, target: str, messages: str | Iterable[tuple[str, str]], *, timeout: float | None = None
    ) -> AsyncIterator[RunEvent]:
        """Runs an agent; its events as they happen, the last one "run_finished". Closing the iterator cancels the run."""
        request = agent_pb2.AgentServiceRunRequest(input=payload.agent_input(target, messages))
        stub = agent_pb2_grpc.AgentServiceStub(self.channel)
        stream = stub.Run(request, timeout=timeout, metadata=self.connection.metadata())
        try:
            async for response in stream:
                yield payload.run_event(response)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        finally:
            stream.cancel()

    async def invoke(
        self, target: str, messages: str | Iterable[tuple[str, str]], *, timeout: float | None = None
    ) -> str:
        """Runs an agent and returns the text of its answer."""
        request = agent_pb2.AgentServiceInvokeRequest(input=payload.agent_input(target, messages))
        response = await self._unary(agent_pb2_grpc.AgentServiceStub(self.channel).Invoke, request, timeout)
        return payload.text_of(response.result.message)

    async def _unary(self, method: Callable[..., Any], request: Any, timeout: float | None) -> Any:
        try:
            return await method(request, timeout=timeout, metadata=self.connection.metadata())
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
