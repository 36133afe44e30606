"""The client against a hand-written server over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from firebreak.client import AsyncClient, CallFailed, Client, Connection, FieldViolation
from firebreak.v1 import agent_pb2, agent_pb2_grpc, payload_pb2, tool_pb2, tool_pb2_grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2


def packed(message: Any) -> any_pb2.Any:
    detail = any_pb2.Any()
    detail.Pack(message)
    return detail


REFUSAL = status_pb2.Status(
    code=3,
    message="the arguments do not fit",
    details=[
        packed(
            error_details_pb2.ErrorInfo(reason="ARGUMENTS_INVALID", domain="firebreak.dev", metadata={"call_id": "c1"})
        ),
        packed(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=500_000_000))),
        packed(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field="args.x", description="is no string")
                ]
            )
        ),
    ],
)


class Tools(tool_pb2_grpc.ToolServiceServicer):
    """Answers with the arguments; refuses the tool "refused"; fails as a tool for "failing"."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, str]] = []

    def Call(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.metadata.append(dict(context.invocation_metadata()))
        if request.call.target == "refused":
            context.set_trailing_metadata((("grpc-status-details-bin", REFUSAL.SerializeToString()),))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, REFUSAL.message)
        if request.call.target == "failing":
            result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_TOOL_ERROR, error_message="division by zero")
        else:
            text = f"{request.call.args_json.decode()} {request.call.idempotency_key}".strip()
            result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=[payload_pb2.ContentBlock(text=text)])
        return tool_pb2.ToolServiceCallResponse(result=result)


class Agents(agent_pb2_grpc.AgentServiceServicer):
    """Streams two words and finishes; "endless" streams until it is cancelled."""

    def __init__(self) -> None:
        self.ended = False

    def Run(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for seq in range(1, 3 if request.input.target != "endless" else 10_000_000):
            if not context.is_active():
                break
            yield agent_pb2.AgentServiceRunResponse(seq=seq, content_delta=agent_pb2.ContentDelta(text=f"word{seq} "))
        self.ended = True
        answer = payload_pb2.Message(content=[payload_pb2.ContentBlock(text="word1 word2")])
        yield agent_pb2.AgentServiceRunResponse(seq=3, run_finished=agent_pb2.RunFinished(message=answer))

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        words = [f"{m.role}:{m.content[0].text}" for m in request.input.messages]
        answer = payload_pb2.Message(content=[payload_pb2.ContentBlock(text=" ".join(words))])
        return agent_pb2.AgentServiceInvokeResponse(result=agent_pb2.RunFinished(message=answer))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[Connection, Tools, Agents]]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    tools, agents = Tools(), Agents()
    tool_pb2_grpc.add_ToolServiceServicer_to_server(tools, server)
    agent_pb2_grpc.add_AgentServiceServicer_to_server(agents, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    token = tmp_path / "token"
    token.write_text("first\n")
    yield Connection(f"127.0.0.1:{port}", token_file=token), tools, agents
    server.stop(0).wait()


def test_a_call_carries_json_and_the_key(gateway: tuple[Connection, Tools, Agents]) -> None:
    with Client(gateway[0]) as client:
        assert client.call("echo", {"text": "ü"}).text == '{"text": "ü"}'
        assert client.call("echo", '{"a":1}', idempotency_key="k").text == '{"a":1} k'
        with pytest.raises(ValueError, match="JSON compliant"):
            client.call("echo", {"x": float("nan")})


def test_the_token_is_read_for_every_call(gateway: tuple[Connection, Tools, Agents]) -> None:
    connection, tools, _ = gateway
    assert connection.token_file is not None
    with Client(connection) as client:
        client.call("echo", {})
        connection.token_file.write_text("second")
        client.call("echo", {})
    assert [headers["authorization"] for headers in tools.metadata] == ["Bearer first", "Bearer second"]


def test_a_tools_failure_is_an_answer(gateway: tuple[Connection, Tools, Agents]) -> None:
    with Client(gateway[0]) as client:
        answer = client.call("failing", {})
    assert (answer.ok, answer.text) == (False, "division by zero")


def test_a_refusal_is_an_exception_with_all_details(gateway: tuple[Connection, Tools, Agents]) -> None:
    with Client(gateway[0]) as client, pytest.raises(CallFailed) as caught:
        client.call("refused", {})
    failure = caught.value
    assert (failure.code, failure.reason, failure.metadata) == (
        "INVALID_ARGUMENT",
        "ARGUMENTS_INVALID",
        {"call_id": "c1"},
    )
    assert failure.fields == (FieldViolation("args.x", "is no string"),)
    assert failure.retry_after == 1.5
    assert str(failure) == "INVALID_ARGUMENT ARGUMENTS_INVALID: the arguments do not fit"


def test_no_gateway_is_unavailable_without_a_reason() -> None:
    with Client(Connection("127.0.0.1:1")) as client, pytest.raises(CallFailed) as caught:
        client.call("echo", {}, timeout=5)
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", "")


def test_a_run_streams_and_ends(gateway: tuple[Connection, Tools, Agents]) -> None:
    with Client(gateway[0]) as client:
        events = list(client.run("agent", "hello"))
    assert [(event.seq, event.kind, event.text) for event in events] == [
        (1, "content_delta", "word1 "),
        (2, "content_delta", "word2 "),
        (3, "run_finished", "word1 word2"),
    ]


def test_messages_have_roles(gateway: tuple[Connection, Tools, Agents]) -> None:
    with Client(gateway[0]) as client:
        assert client.invoke("agent", [("system", "be brief"), ("user", "hello")]) == "1:be brief 2:hello"
        with pytest.raises(ValueError, match="role 'boss'"):
            client.invoke("agent", [("boss", "hello")])


async def test_the_asynchronous_client_does_the_same(gateway: tuple[Connection, Tools, Agents]) -> None:
    async with AsyncClient(gateway[0]) as client:
        assert (await client.call("echo", {"a": 1})).text == '{"a": 1}'
        assert [event.kind async for event in client.run("agent", "hello")][-1] == "run_finished"
        assert await client.invoke("agent", "hello") == "2:hello"
        with pytest.raises(CallFailed, match="ARGUMENTS_INVALID"):
            await client.call("refused", {})


def test_local_finds_the_state_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".firebreak" / "identity").mkdir(parents=True)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.delenv("FIREBREAK_STATE", raising=False)
    monkeypatch.setenv("FIREBREAK_ADDRESS", "127.0.0.1:9")
    connection = Connection.local()
    assert connection.address == "127.0.0.1:9"
    assert connection.token_file == tmp_path / ".firebreak/identity/tokens/developer.token"


def test_local_knows_where_its_gateway_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIREBREAK_ADDRESS", raising=False)
    assert Connection.local(tmp_path).address == "127.0.0.1:7500"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/addresses.json").write_text('{"public": "127.0.0.1:8500", "admin": "127.0.0.1:8501"}')
    assert Connection.local(tmp_path).address == "127.0.0.1:8500"
    monkeypatch.setenv("FIREBREAK_ADDRESS", "127.0.0.1:9")
    assert Connection.local(tmp_path).address == "127.0.0.1:9"


def test_local_says_what_to_do_where_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FIREBREAK_STATE", raising=False)
    with pytest.raises(FileNotFoundError, match="make run"):
        Connection.local()
