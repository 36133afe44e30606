"""What the client puts on the wire, seen without a network."""

from __future__ import annotations

from concurrent import futures
from pathlib import Path

import grpc
import grpc_testing
import pytest
from firebreak.client import CallFailed, Client, Connection
from firebreak.v1 import agent_pb2, payload_pb2, tool_pb2

SERVICES = [agent_pb2.DESCRIPTOR.services_by_name["AgentService"], tool_pb2.DESCRIPTOR.services_by_name["ToolService"]]
CALL = SERVICES[1].methods_by_name["Call"]
RUN = SERVICES[0].methods_by_name["Run"]
DONE = tool_pb2.ToolServiceCallResponse(result=tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK))


@pytest.fixture
def client(tmp_path: Path) -> Client:
    token = tmp_path / "token"
    token.write_text("secret")
    client = Client(Connection("127.0.0.1:1", token_file=token))
    client.close()
    client.channel = grpc_testing.channel(SERVICES, grpc_testing.strict_fake_time(0))
    return client


def test_a_call_carries_token_target_and_arguments(client: Client) -> None:
    with futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.call, "calculator", {"expression": "1"})
        metadata, request, rpc = client.channel.take_unary_unary(CALL)
        rpc.terminate(DONE, (), grpc.StatusCode.OK, "")
        assert answer.result(5).ok
    assert ("authorization", "Bearer secret") in metadata
    assert (request.call.target, request.call.args_json) == ("calculator", b'{"expression": "1"}')


def test_a_status_without_details_is_told_as_it_is(client: Client) -> None:
    with futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.call, "calculator", {})
        _, _, rpc = client.channel.take_unary_unary(CALL)
        rpc.terminate(DONE, (), grpc.StatusCode.RESOURCE_EXHAUSTED, "metadata too large")
        with pytest.raises(CallFailed) as caught:
            answer.result(5)
    assert (caught.value.code, caught.value.reason) == ("RESOURCE_EXHAUSTED", "")
    assert caught.value.message == "metadata too large"


def test_a_run_that_is_no_longer_read_is_cancelled(client: Client) -> None:
    with futures.ThreadPoolExecutor(1) as pool:
        run = client.run("assistant", "hello")
        first = pool.submit(next, run)
        _, _, rpc = client.channel.take_unary_stream(RUN)
        rpc.send_response(agent_pb2.AgentServiceRunResponse(seq=1, message_started=agent_pb2.MessageStarted()))
        assert first.result(5).kind == "message_started"
        run.close()  # type: ignore[attr-defined]
        rpc.cancelled()


def test_roles_are_those_of_the_contract(client: Client) -> None:
    with futures.ThreadPoolExecutor(1) as pool:
        events = pool.submit(list, client.run("assistant", [("system", "be brief"), ("user", "hello")]))
        _, request, rpc = client.channel.take_unary_stream(RUN)
        rpc.terminate((), grpc.StatusCode.OK, "")
        assert events.result(5) == []
    assert [message.role for message in request.input.messages] == [payload_pb2.ROLE_SYSTEM, payload_pb2.ROLE_USER]
