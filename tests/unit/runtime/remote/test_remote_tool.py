"""A tool behind the gateway is a LangChain tool like any other, and its failures are texts for the model."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.context import CallContext
from firebreak_runtime.errors import CODES
from firebreak_runtime.remote import RemoteTool, RemoteToolError
from langchain_core.documents import Document
from langchain_core.messages import ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from tests.unit.runtime import samples
from tests.unit.runtime.fake_gateway import FakeGateway

CALL = "/firebreak.v1.ToolService/Call"
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


def invoke(way: str, tool: RemoteTool, args: Any, call_id: str = "c-1") -> ToolMessage:
    call = {"type": "tool_call", "id": call_id, "name": tool.name, "args": args}

    async def ainvoke() -> Any:
        try:
            return await tool.ainvoke(call)
        finally:
            await tool.gateway.aclose()

    message = tool.invoke(call) if way == "sync" else asyncio.run(ainvoke())
    assert isinstance(message, ToolMessage)
    return message


def sent(gateway: FakeGateway) -> tool_pb2.ToolCall:
    return tool_pb2.ToolServiceCallRequest.FromString(gateway.seen[-1].request).call


@pytest.mark.parametrize("name", ["add", "look_up", "for_user", "with_call_id", "checked", "reserved", "classic"])
def test_a_model_is_offered_the_same_as_of_the_tool_itself(remote_tool: Any, name: str) -> None:
    here, there = convert_to_openai_tool(getattr(samples, name)), convert_to_openai_tool(remote_tool(name))

    def untitled(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: untitled(part)
                for key, part in value.items()
                if key != "title" and not (key == "properties" and not part)
            }
        return [untitled(part) for part in value] if isinstance(value, list) else value

    assert untitled(there) == untitled(here)


@WAYS
def test_a_call_and_its_answer(way: str, remote_tool: Any, gateway: FakeGateway) -> None:
    tool = remote_tool("add")

    message = invoke(way, tool, {"a": 5})

    assert (message.content, message.status, message.tool_call_id) == ("8", "success", "c-1")
    call = sent(gateway)
    assert (call.target, call.tool_call_id, orjson.loads(call.args_json)) == ("add", "c-1", {"a": 5})
    assert call.expect_schema_sha256 == tool.schema_sha256


@WAYS
def test_content_blocks_and_artifacts_come_back(way: str, remote_tool: Any) -> None:
    found = invoke(way, remote_tool("look_up"), {"words": "x"})
    shown = invoke(way, remote_tool("picture"), {"name": "cat"})

    assert found.artifact == [Document(id="d1", page_content="a page", metadata={"line": 7})]
    assert shown.content == samples.picture.invoke({"name": "cat"})


@WAYS
def test_arguments_may_have_any_name(way: str, remote_tool: Any) -> None:
    args = {"self": "a", "config": "b", "run_manager": "c", "runtime": "d"}

    assert invoke(way, remote_tool("reserved"), args).content == "config=b,run_manager=c,runtime=d,self=a"


@WAYS
@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("fails", {"how": "told"}, "say please"),
        ("fails", {"how": "oops"}, "the tool failed: RuntimeError"),
        (
            "add",
            {"a": "x"},
            "the arguments are not valid: args.a: Input should be a valid integer, unable to parse string",
        ),
        ("odd_artifact", {"words": "x"}, "the tool gave no usable answer."),
    ],
)
def test_a_failing_tool_is_a_text_for_the_model(way: str, remote_tool: Any, name: str, args: Any, text: str) -> None:
    message = invoke(way, remote_tool(name), args)

    assert message.status == "error"
    assert str(message.content).startswith(text)


@WAYS
@pytest.mark.parametrize("reason", sorted(CODES))
def test_every_reason_is_a_text_for_the_model(way: str, reason: str, remote_tool: Any, gateway: FakeGateway) -> None:
    tool = remote_tool("add")
    gateway.fail(CALL, reason, "inner words", metadata={"rule": "grants.args", "decision_id": "d" * 32, "call_id": "c"})

    message = invoke(way, tool, {"a": 1})

    assert message.status == "error"
    text = str(message.content)
    assert text and not any(inner in text for inner in ("inner words", "grants.args", "d" * 32))


@pytest.mark.parametrize(
    ("reason", "details", "words"),
    [
        (
            "ARGUMENTS_INVALID",
            {"fields": (("args.a", "must be a number"),)},
            "the arguments are not valid: args.a: must be a number",
        ),
        (
            "POLICY_DENIED",
            {"metadata": {"field": "args.path"}},
            "policy does not allow this call because of args.path.",
        ),
        ("RATE_LIMITED", {"retry_after": 7.0}, "the tool is busy. It may be called again in 7 seconds."),
        ("CIRCUIT_OPEN", {}, "the tool keeps failing and is not called for a while."),
        ("DEADLINE_EXCEEDED", {}, "the tool did not answer in time."),
        ("WORKER_DIED", {}, "the tool crashed."),
        ("INTERNAL", {}, "the tool could not be called (INTERNAL)"),
    ],
)
def test_the_text_says_what_a_model_can_do(
    reason: str, details: Any, words: str, remote_tool: Any, gateway: FakeGateway
) -> None:
    tool = remote_tool("add")
    gateway.fail(CALL, reason, **details)

    assert str(invoke("sync", tool, {"a": 1}).content).startswith(words)


@WAYS
def test_errors_can_be_raised_instead(way: str, remote_tool: Any, gateway: FakeGateway) -> None:
    tool = remote_tool("add")
    tool.handle_tool_error = False
    gateway.fail(CALL, "POLICY_DENIED")

    with pytest.raises(RemoteToolError) as error:
        invoke(way, tool, {"a": 1})
    assert error.value.reason == "POLICY_DENIED"


@WAYS
def test_a_changed_tool_is_taken_over_and_told_to_the_model(
    way: str, remote_tool: Any, gateway: FakeGateway, serve: Any
) -> None:
    tool = remote_tool("add")
    before = tool.schema_sha256
    serve("fails", "tool")
    gateway.fail(CALL, "SCHEMA_CHANGED")

    message = invoke(way, tool, {"a": 1})

    assert message.status == "error" and '"how"' in str(message.content)
    assert tool.schema_sha256 != before
    assert "how" in convert_to_openai_tool(tool)["function"]["parameters"]["properties"]


@WAYS
def test_a_changed_tool_that_cannot_be_described_is_still_a_text(
    way: str, remote_tool: Any, gateway: FakeGateway
) -> None:
    tool = remote_tool("add")
    gateway.fail(CALL, "SCHEMA_CHANGED")
    gateway.fail("/firebreak.v1.ToolService/Describe", "TARGET_NOT_READY")

    assert invoke(way, tool, {"a": 1}).content == "the tool is not available now."


@WAYS
def test_injected_arguments_travel_apart_and_no_model_sees_them(
    way: str, remote_tool: Any, gateway: FakeGateway
) -> None:
    tool = remote_tool("for_user").with_injected(user="ann")

    assert invoke(way, tool, {"item": "tea"}).content == "tea for ann"
    assert orjson.loads(sent(gateway).injected_json) == {"user": "ann"}
    assert "user" not in tool.args


def test_only_a_mutating_call_has_an_idempotency_key(
    remote_tool: Any, gateway: FakeGateway, in_call: CallContext
) -> None:
    invoke("sync", remote_tool("add"), {"a": 1})
    assert sent(gateway).idempotency_key == ""

    tool, keys = remote_tool("add", effect="MUTATING"), []
    for args, call_id in (({"a": 1}, "c-1"), ({"a": 1}, "c-1"), ({"a": 2}, "c-1"), ({"a": 1}, "c-2")):
        invoke("sync", tool, args, call_id)
        keys.append(sent(gateway).idempotency_key)
    assert keys[0] == keys[1] and len(set(keys)) == 3 and all(keys)


def test_a_text_is_the_only_argument(remote_tool: Any) -> None:
    assert remote_tool("classic").run("hey") == "HEY"


def test_without_a_call_id_a_failure_is_a_marked_text(remote_tool: Any) -> None:
    text = remote_tool("fails").run({"how": "told"})

    assert text == "say please" and text.tool_failed


@WAYS
def test_arguments_that_are_no_json_never_leave(way: str, remote_tool: Any, gateway: FakeGateway) -> None:
    tool = remote_tool("add")
    before = len(gateway.seen)

    message = invoke(way, tool, {"a": 2**64})

    assert str(message.content).startswith("the arguments cannot be written as JSON")
    assert len(gateway.seen) == before


@pytest.mark.parametrize(
    "result",
    [
        tool_pb2.ToolResult(),
        tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=[{"json": b"{"}]),
        tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, artifact={"media_type": "application/json", "data": b"{"}),
    ],
)
def test_an_answer_against_the_contract_is_a_text_too(result: Any, remote_tool: Any, gateway: FakeGateway) -> None:
    tool = remote_tool("add")
    gateway.answers[CALL] = lambda request, context: [
        tool_pb2.ToolServiceCallResponse(result=result).SerializeToString()
    ]

    assert invoke("sync", tool, {"a": 1}).content == "the tool gave no usable answer."


def plainly(way: str, tool: Any, args: Any) -> Any:
    """Invoked by a program, not for a model."""

    async def ainvoke() -> Any:
        try:
            return await tool.ainvoke(args)
        finally:
            if isinstance(tool, RemoteTool):
                await tool.gateway.aclose()

    return tool.invoke(args) if way == "sync" else asyncio.run(ainvoke())


@WAYS
@pytest.mark.parametrize(
    "what", ["text", "number", "nothing", "object", "tuple", "bytes", "documents", "message", "blocks", "own"]
)
def test_a_program_gets_what_the_tool_returned(way: str, what: str, remote_tool: Any) -> None:
    there = plainly(way, remote_tool("returns"), {"what": what})
    here = plainly(way, samples.returns, {"what": what})

    assert there == here and type(there) is type(here)


@pytest.mark.parametrize(
    ("what", "value"),
    [("model", {"x": 1}), ("handle", '{"not_json":"builtins.object"}'), ("surrogate", "?")],
)
def test_what_json_has_no_word_for_is_what_it_holds_or_a_text(what: str, value: Any, remote_tool: Any) -> None:
    assert plainly("sync", remote_tool("returns"), {"what": what}) == value


def test_a_program_gets_content_and_no_artifact(remote_tool: Any) -> None:
    assert plainly("sync", remote_tool("look_up"), {"words": "x"}) == plainly("sync", samples.look_up, {"words": "x"})


def test_a_tool_that_takes_its_calls_id_answers_as_to_a_model(remote_tool: Any) -> None:
    assert plainly("sync", remote_tool("with_call_id"), {"text": "hi"}).startswith("hi in call_")


def test_what_a_program_gets_is_bounded(remote_tool: Any) -> None:
    tool = remote_tool("returns")

    assert len(plainly("sync", tool, {"what": "largest"})) == 8 * 1024**2 - 2
    assert plainly("sync", tool, {"what": "too large"}) == "the tool's answer is too large. Ask for less."
