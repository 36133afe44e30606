"""The client for synchronous code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc

from firebreak.client import payload
from firebreak.client.connection import Connection
from firebreak.client.errors import from_rpc_error
from firebreak.client.payload import Answer, RunEvent
from firebreak.v1 import (
    agent_pb2,
    agent_pb2_grpc,
    catalog_pb2,
    catalog_pb2_grpc,
    decision_pb2,
    decision_pb2_grpc,
    tool_pb2,
    tool_pb2_grpc,
)


class Client:
    """A connection to a gateway. Every method raises CallFailed when the call ends with a status other than OK.

    `timeout` is in seconds and travels as gRPC's deadline; without one the target's default applies. `channel` is open to other
    stubs of firebreak.v1; give them `connection.metadata()`.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        options = connection.channel_options()
        self.channel: Any = (
            grpc.secure_channel(connection.address, connection.tls.credentials(), options)
            if connection.tls
            else grpc.insecure_channel(connection.address, options)
        )

    @classmethod
    def local(cls, state: Path | None = None) -> Client:
        """A client of the gateway that `make run` starts; see Connection.local."""
        return cls(Connection.local(state))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.channel.close()

    def call(
        self,
        target: str,
        args: Mapping[str, Any] | str | bytes,
        *,
        timeout: float | None = None,
        idempotency_key: str = "",
    ) -> Answer:
        """Runs a tool once. `args` is a mapping, or JSON that is sent as it is."""
        request = tool_pb2.ToolServiceCallRequest(call=payload.tool_call(target, args, idempotency_key))
        response = self._unary(tool_pb2_grpc.ToolServiceStub(self.channel).Call, request, timeout)
        return payload.answer(response.result)

    def run(
        self, target: str, messages: str | Iterable[tuple[str, str]], *, timeout: float | None = None
    ) -> Iterator[RunEvent]:
        """Runs an agent; its events as they happen, the last one "run_finished". Closing the iterator cancels the run."""
        request = agent_pb2.AgentServiceRunRequest(input=payload.agent_input(target, messages))
        stub = agent_pb2_grpc.AgentServiceStub(self.channel)
        stream = stub.Run(request, timeout=timeout, metadata=self.connection.metadata())
        try:
            for response in stream:
                yield payload.run_event(response)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        finally:
            stream.cancel()

    def invoke(self, target: str, messages: str | Iterable[tuple[str, str]], *, timeout: float | None = None) -> str:
        """Runs an agent and returns the text of its answer."""
        request = agent_pb2.AgentServiceInvokeRequest(input=payload.agent_input(target, messages))
        response = self._unary(agent_pb2_grpc.AgentServiceStub(self.channel).Invoke, request, timeout)
        return payload.text_of(response.result.message)

    def catalog(self, *, timeout: float | None = 10.0) -> list[Any]:
        """The targets that policy lets this caller see, as firebreak.v1.Target messages."""
        stub = catalog_pb2_grpc.CatalogServiceStub(self.channel)
        return list(self._unary(stub.List, catalog_pb2.CatalogServiceListRequest(), timeout).targets)

    def explain(self, decision_id: str, *, timeout: float | None = 10.0) -> Any:
        """One recent decision about this caller's calls, as a firebreak.v1.Decision message."""
        stub = decision_pb2_grpc.DecisionServiceStub(self.channel)
        request = decision_pb2.DecisionServiceExplainRequest(decision_id=decision_id)
        return self._unary(stub.Explain, request, timeout).decision

    def _unary(self, method: Callable[..., Any], request: Any, timeout: float | None) -> Any:
        try:
            return method(request, timeout=timeout, metadata=self.connection.metadata())
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
