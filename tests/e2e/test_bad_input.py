"""Bad input gets an error that names the field, and nothing reaches the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from firebreak.client import CallFailed, Client, Connection
from firebreak.client.errors import from_rpc_error
from firebreak.v1 import tool_pb2, tool_pb2_grpc

from tests.e2e.instance import Instance

CALL = "/firebreak.v1.ToolService/Call"


@pytest.fixture
def untouched(shipped: Instance) -> Iterator[None]:
    """The test must not cause a single attempt at the calculator."""
    before = shipped.metric("firebreak_attempts_total", target="calculator", action="call")
    yield
    assert shipped.metric("firebreak_attempts_total", target="calculator", action="call") == before


def nested(depth: int) -> str:
    """An object of this many levels."""
    return '{"expression": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("args", "reason", "field"),
    [
        ("{", "ARGUMENTS_INVALID", "args"),
        ("[1]", "ARGUMENTS_INVALID", "args"),
        ('{"expression": 7}', "ARGUMENTS_INVALID", "args.expression"),
        ('{"expr": "1"}', "ARGUMENTS_INVALID", "args"),
        ('{"expression": 18446744073709551616}', "ARGUMENTS_INVALID", "args"),
        ('{"expression": "1", "expression": "2"}', "ARGUMENTS_INVALID", "args"),
        ('{"expression": NaN}', "ARGUMENTS_INVALID", "args"),
        (b'{"expression": "\xff"}', "ARGUMENTS_INVALID", "args"),
        (nested(100), "ARGUMENTS_INVALID", "args"),
        ('{"expression": "' + "1" * 300_000 + '"}', "REQUEST_TOO_LARGE", "request"),
    ],
    ids=[
        "broken",
        "no object",
        "wrong type",
        "unknown key",
        "65 bits",
        "duplicate key",
        "NaN",
        "UTF-8",
        "depth",
        "size",
    ],
)
def test_wrong_arguments(client: Client, args: str | bytes, reason: str, field: str) -> None:
    with pytest.raises(CallFailed) as caught:
        client.call("calculator", args)
    assert (caught.value.code, caught.value.reason) == ("INVALID_ARGUMENT", reason)
    assert any(field in violation.field for violation in caught.value.fields), caught.value.fields


@pytest.mark.usefixtures("untouched")
def test_bytes_that_are_no_message(shipped: Instance) -> None:
    connection = shipped.connection()
    with grpc.insecure_channel(connection.address) as channel:
        for body in (b"\xff\xff\xff", b"\x0a\x7f", b'\x0a\x0f\x0a\x04\xff\xfe\xfd\xfc\x1a\x07{"a":1}'):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(CALL)(body, metadata=connection.metadata())
            failure = from_rpc_error(caught.value)
            assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "REQUEST_MALFORMED")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "target", ["nobody", "assistant", "", "CALCULATOR", "calculator\n", "../calculator", "x" * 500]
)
def test_unknown_tool(client: Client, target: str) -> None:
    with pytest.raises(CallFailed) as caught:
        client.call(target, {"expression": "1"})
    assert caught.value.reason in ("TARGET_UNKNOWN", "REQUEST_MALFORMED")
    assert caught.value.code in ("NOT_FOUND", "INVALID_ARGUMENT")


@pytest.mark.usefixtures("untouched")
def test_expired_deadline(client: Client) -> None:
    """Long past: gRPC sends anything shorter than a millisecond as one, which is time enough to be answered.

    What the gateway does with a call that arrives too late is in tests/unit/gateway/test_stack.py, by a clock of its own.
    """
    with pytest.raises(CallFailed) as caught:
        client.call("calculator", {"expression": "1"}, timeout=-1.0)
    assert caught.value.code == "DEADLINE_EXCEEDED"


def _no_credentials(connection: Connection) -> tuple[tuple[str, str], ...]:
    return ()


def _broken_token(connection: Connection) -> tuple[tuple[str, str], ...]:
    return (("authorization", "Bearer not.a.token"),)


def _edited_token(connection: Connection) -> tuple[tuple[str, str], ...]:
    token = dict(connection.metadata())["authorization"]
    head, body, signature = token.split(".")
    return (("authorization", f"{head}.{body}.{signature[::-1]}"),)


def _two_tokens(connection: Connection) -> tuple[tuple[str, str], ...]:
    return connection.metadata() * 2


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (_no_credentials, "CREDENTIALS_MISSING"),
        (_broken_token, "CREDENTIALS_INVALID"),
        (_edited_token, "CREDENTIALS_INVALID"),
        (_two_tokens, "CREDENTIALS_INVALID"),
    ],
)
def test_credentials(shipped: Instance, credentials: Callable[[Connection], Any], reason: str) -> None:
    connection = shipped.connection()
    request = tool_pb2.ToolServiceCallRequest(
        call=tool_pb2.ToolCall(target="calculator", args_json=b'{"expression": "1"}')
    )
    with grpc.insecure_channel(connection.address) as channel, pytest.raises(grpc.RpcError) as caught:
        tool_pb2_grpc.ToolServiceStub(channel).Call(request, metadata=credentials(connection))
    failure = from_rpc_error(caught.value)
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", reason)


@pytest.mark.usefixtures("untouched")
def test_a_services_token_alone_calls_nothing(shipped: Instance) -> None:
    """Only while it serves a call may a service call: its own token without a session is worth nothing."""
    token = shipped.state / "identity/services-tokens/assistant/token"
    connection = Connection(f"127.0.0.1:{shipped.ports['public']}", token_file=token)
    with Client(connection) as client, pytest.raises(CallFailed) as caught:
        client.call("calculator", {"expression": "1"})
    assert (caught.value.code, caught.value.reason) == ("UNAUTHENTICATED", "SESSION_INVALID")


def test_an_unknown_method_is_told_so(shipped: Instance) -> None:
    connection = shipped.connection()
    with grpc.insecure_channel(connection.address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/firebreak.v1.ToolService/Nothing")(b"", metadata=connection.metadata())
    assert from_rpc_error(caught.value).code == "UNIMPLEMENTED"


def test_the_command_names_the_field_and_the_exit_code_tells(shipped: Instance) -> None:
    done = shipped.cli("call", "calculator", '{"expression": 7}')
    assert done.returncode == 1
    assert "ARGUMENTS_INVALID" in done.stderr
    assert "args.expression" in done.stderr
    assert done.stdout == ""
