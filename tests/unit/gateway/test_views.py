"""What stages read of a request, and what is refused before anyone looks at the caller's rights."""

from __future__ import annotations

from typing import Any

import pytest
from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, payload_pb2, retriever_pb2, tool_pb2

from gateway.errors import CallError, Reason
from gateway.routes import METHODS, Action
from gateway.views import read, target_field
from tests.unit.gateway.chain_fakes import (
    AGENT_INVOKE,
    AGENT_RUN,
    MODEL_GENERATE,
    SHA,
    TOOL_CALL,
    TOOL_STREAM,
    agent_request,
    tool_request,
    user_message,
)

Message, Block = payload_pb2.Message, payload_pb2.ContentBlock


def refused(method: Any, request: bytes, field: str, reason: Reason = Reason.REQUEST_MALFORMED) -> CallError:
    with pytest.raises(CallError) as caught:
        read(method, request)
    assert caught.value.reason is reason
    assert [violation.field for violation in caught.value.fields] == [field]
    assert field in caught.value.message
    return caught.value


def model(**prompt: Any) -> bytes:
    prompt.setdefault("messages", [user_message("hello")])
    return model_pb2.ModelServiceGenerateRequest(prompt=model_pb2.Prompt(target="router", **prompt)).SerializeToString()


def test_a_tool_call_shows_its_arguments() -> None:
    request = tool_request(
        args=b'{"n": 9007199254740993}',
        tool_call_id="call-1",
        injected_json=b'{"state": {}}',
        expect_schema_sha256=SHA,
        idempotency_key="once",
    )
    view = read(TOOL_CALL, request)
    assert (view.target, view.args, view.args_json) == ("calculator", {"n": 2**53 + 1}, b'{"n": 9007199254740993}')
    assert (view.injected, view.tool_call_id) == (("state",), "call-1")
    assert (view.expect_schema_sha256, view.idempotency_key) == (SHA, "once")
    assert view.prompt is None


def test_a_prompt_shows_numbers_and_names_and_no_text() -> None:
    asked = payload_pb2.ToolRequest(id="1", name="calculator", args_json=b"{}")
    messages = [
        Message(role=payload_pb2.ROLE_SYSTEM, content=[Block(text="äb")]),
        user_message("abc"),
        Message(role=payload_pb2.ROLE_ASSISTANT, tool_requests=[asked]),
        Message(role=payload_pb2.ROLE_TOOL, tool_call_id="1", content=[Block(json=b'{"type":"image"}')]),
        user_message("d"),
    ]
    tools = [model_pb2.ToolOffer(name="calculator", input_schema_json=b"{}")]
    view = read(MODEL_GENERATE, model(messages=messages, tools=tools, parameters_json=b'{"temperature": 0}'))
    assert view.prompt == {
        "messages": 5,
        "characters": 2 + 3 + 2 + 16 + 1,
        "roles": ["system", "user", "assistant", "tool"],
        "tools": ["calculator"],
    }
    assert view.args is None


def test_an_agents_state_counts_with_its_prompt() -> None:
    given = agent_pb2.AgentInput(target="assistant", messages=[user_message("abc")], state_json=b'{"a": 1}')
    view = read(AGENT_RUN, agent_pb2.AgentServiceRunRequest(input=given).SerializeToString())
    assert view.prompt == {"messages": 1, "characters": 11, "roles": ["user"], "tools": []}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_names_its_target_and_refuses_garbage(method: Any) -> None:
    refused(method, b"\xff\xff\xff", "request")
    with pytest.raises(CallError) as caught:
        read(method, b"")
    assert caught.value.fields[0].field in (target_field(method), target_field(method).partition(".")[0])


@pytest.mark.parametrize(
    ("method", "request_message"),
    [
        ("ToolService/Describe", tool_pb2.ToolServiceDescribeRequest(target="x")),
        ("AgentService/Describe", agent_pb2.AgentServiceDescribeRequest(target="x")),
        ("ModelService/Describe", model_pb2.ModelServiceDescribeRequest(target="x")),
        ("RetrieverService/Describe", retriever_pb2.RetrieverServiceDescribeRequest(target="x")),
        ("RetrieverService/Retrieve", retriever_pb2.RetrieverServiceRetrieveRequest(target="x", query="q")),
        ("EmbeddingService/Describe", embedding_pb2.EmbeddingServiceDescribeRequest(target="x")),
        ("EmbeddingService/Embed", embedding_pb2.EmbeddingServiceEmbedRequest(target="x", texts=["a"])),
    ],
)
def test_other_methods_show_their_target_only(method: str, request_message: Any) -> None:
    view = read(METHODS[f"/firebreak.v1.{method}"], request_message.SerializeToString())
    assert (view.target, view.args, view.prompt) == ("x", None, None)


def test_invalid_utf8_in_a_text_field_is_malformed() -> None:
    refused(METHODS["/firebreak.v1.ToolService/Describe"], b"\x0a\x02\xff\xfe", "request")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tool_call_id": "a\nb"}, "call.tool_call_id"),
        ({"tool_call_id": "x" * 257}, "call.tool_call_id"),
        ({"idempotency_key": "\x7f"}, "call.idempotency_key"),
        ({"expect_schema_sha256": "abc"}, "call.expect_schema_sha256"),
        ({"target": ""}, "call.target"),
    ],
)
def test_tool_call_fields(fields: dict[str, Any], field: str) -> None:
    refused(TOOL_CALL, tool_request(**fields), field)


def test_tool_call_json_is_invalid_arguments() -> None:
    refused(TOOL_CALL, tool_request(args=b""), "args", Reason.ARGUMENTS_INVALID)
    refused(TOOL_STREAM, tool_request(args=b"[]"), "args", Reason.ARGUMENTS_INVALID)
    refused(TOOL_CALL, tool_request(injected_json=b"1"), "call.injected_json", Reason.ARGUMENTS_INVALID)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Message(content=[Block(text="a")]), "role"),
        (Message(role=9), "role"),  # type: ignore[arg-type]
        (Message(role=payload_pb2.ROLE_USER, content=[Block()]), "content[0]"),
        (Message(role=payload_pb2.ROLE_USER, content=[Block(json=b"[1]")]), "content[0].json"),
        (Message(role=payload_pb2.ROLE_USER, content=[Block(json=b'{"type": 1}')]), "content[0].json"),
        (Message(role=payload_pb2.ROLE_USER, name="a\x00"), "name"),
        (Message(role=payload_pb2.ROLE_USER, id="\u202e"), "id"),
        (Message(role=payload_pb2.ROLE_USER, tool_call_id="1"), "tool_call_id"),
        (Message(role=payload_pb2.ROLE_USER, metadata_json=b"x"), "metadata_json"),
        (Message(role=payload_pb2.ROLE_USER, tool_requests=[payload_pb2.ToolRequest(name="x")]), "tool_requests"),
        (
            Message(role=payload_pb2.ROLE_ASSISTANT, tool_requests=[payload_pb2.ToolRequest(args_json=b"{}")]),
            "tool_requests[0].name",
        ),
        (
            Message(role=payload_pb2.ROLE_ASSISTANT, tool_requests=[payload_pb2.ToolRequest(name="x", args_json=b"[")]),
            "tool_requests[0].args_json",
        ),
    ],
)
def test_messages_that_are_refused(message: Message, field: str) -> None:
    given = agent_pb2.AgentInput(target="assistant", messages=[user_message("a"), message])
    request = agent_pb2.AgentServiceInvokeRequest(input=given).SerializeToString()
    refused(AGENT_INVOKE, request, f"input.messages[1].{field}")
    refused(MODEL_GENERATE, model(messages=[user_message("a"), message]), f"prompt.messages[1].{field}")


def test_prompts_that_are_refused() -> None:
    refused(MODEL_GENERATE, model(messages=[]), "prompt.messages")
    refused(MODEL_GENERATE, model(parameters_json=b"[]"), "prompt.parameters_json")
    refused(MODEL_GENERATE, model(tool_choice="\n"), "prompt.tool_choice")
    refused(MODEL_GENERATE, model(tools=[model_pb2.ToolOffer()]), "prompt.tools[0].name")
    schema = model_pb2.ToolOffer(name="x", input_schema_json=b"true")
    refused(MODEL_GENERATE, model(tools=[schema]), "prompt.tools[0].input_schema_json")
    empty = agent_pb2.AgentServiceInvokeRequest(input=agent_pb2.AgentInput(target="assistant"))
    refused(AGENT_INVOKE, empty.SerializeToString(), "input.messages")
    state = agent_pb2.AgentInput(target="assistant", messages=[user_message("a")], state_json=b"7")
    refused(AGENT_INVOKE, agent_pb2.AgentServiceInvokeRequest(input=state).SerializeToString(), "input.state_json")


def test_retriever_and_embedding_fields_that_are_refused() -> None:
    retrieve = retriever_pb2.RetrieverServiceRetrieveRequest(target="handbook", parameters_json=b"[]")
    refused(METHODS["/firebreak.v1.RetrieverService/Retrieve"], retrieve.SerializeToString(), "parameters_json")
    embed = b"\x0a\x01x\x18\x09"  # use = 9
    refused(METHODS["/firebreak.v1.EmbeddingService/Embed"], embed, "use")


def test_the_path_of_the_target_depends_on_the_method() -> None:
    assert target_field(TOOL_CALL) == "call.target"
    assert target_field(AGENT_INVOKE) == "input.target"
    assert target_field(MODEL_GENERATE) == "prompt.target"
    assert {target_field(method) for method in METHODS.values() if method.action is Action.DESCRIBE} == {"target"}


def test_an_error_repeats_no_text_of_a_message() -> None:
    request = agent_request(text="SECRET")[:-1]
    with pytest.raises(CallError) as caught:
        read(AGENT_INVOKE, request)
    assert "SECRET" not in caught.value.message
