"""A chat model behind the gateway is a LangChain chat model like any other; its failures are raised."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from firebreak.v1 import model_pb2
from firebreak_runtime.context import CallContext
from firebreak_runtime.remote import RemoteError
from firebreak_runtime.remote.prompt import choice_of
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from tests.unit.runtime import samples
from tests.unit.runtime.fake_gateway import FakeGateway

GENERATE = "/firebreak.v1.ModelService/Generate"
STREAM = "/firebreak.v1.ModelService/Stream"
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@tool
def add(a: int) -> int:
    """Adds."""
    return a


def on_loop(model: Any, coroutine: Any) -> Any:
    async def run() -> Any:
        try:
            return await coroutine
        finally:
            await model.gateway.aclose()

    return asyncio.run(run())


def invoke(way: str, model: Any, given: Any, bound: Any = None, **kwargs: Any) -> AIMessage:
    runnable = bound if bound is not None else model
    answer = runnable.invoke(given, **kwargs) if way == "sync" else on_loop(model, runnable.ainvoke(given, **kwargs))
    assert isinstance(answer, AIMessage)
    return answer


def chunks(way: str, model: Any, given: Any, bound: Any = None) -> list[Any]:
    runnable = bound if bound is not None else model
    if way == "sync":
        return list(runnable.stream(given))

    async def collected() -> list[Any]:
        return [chunk async for chunk in runnable.astream(given)]

    return list(on_loop(model, collected()))


def sent(gateway: FakeGateway) -> model_pb2.Prompt:
    return model_pb2.ModelServiceGenerateRequest.FromString(gateway.seen[-1].request).prompt


@WAYS
def test_an_answer_is_the_models_own(way: str, remote_model: Any) -> None:
    here = samples.scripted.invoke("hello")

    there = invoke(way, remote_model(), "hello")

    here.id = there.id = None
    assert there == here


@WAYS
def test_a_stream_adds_up_to_the_answer(way: str, remote_model: Any) -> None:
    parts = chunks(way, remote_model(), "hello")

    assert len(parts) > 2
    whole = parts[0]
    for part in parts[1:]:
        whole += part
    assert whole.content == "I read hello"
    assert whole.usage_metadata["total_tokens"] == 5
    assert whole.response_metadata["model_name"] == "scripted-1"


@WAYS
def test_messages_of_every_role_arrive(way: str, remote_model: Any) -> None:
    model = remote_model()
    samples.scripted.seen.clear()
    given = [
        SystemMessage("be kind"),
        HumanMessage("add 1"),
        AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "1", "type": "tool_call"}]),
        ToolMessage("2", tool_call_id="1", status="error"),
    ]

    invoke(way, model, given)

    assert samples.scripted.seen[0]["messages"] == given


@WAYS
def test_bound_tools_are_offered_and_called(way: str, remote_model: Any, gateway: FakeGateway) -> None:
    model = remote_model()

    answer = invoke(way, model, "add", model.bind_tools([add], tool_choice="add"))

    assert answer.tool_calls == [{"name": "add", "args": {"a": 5}, "id": "call-1", "type": "tool_call"}]
    assert sent(gateway).tool_choice == "add"
    assert [offer.name for offer in sent(gateway).tools] == ["add"]


@WAYS
def test_tool_calls_stream_in_fragments(way: str, remote_model: Any) -> None:
    model = remote_model()

    parts = chunks(way, model, "add", model.bind_tools([add]))

    assert sum(bool(part.tool_call_chunks) for part in parts) == 2
    whole = parts[0]
    for part in parts[1:]:
        whole += part
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("add", {"a": 5})]


def test_stop_and_parameters_go_along(remote_model: Any, gateway: FakeGateway) -> None:
    model = remote_model().model_copy(update={"temperature": 0.25, "max_tokens": 9, "stop": ["!"]})
    samples.scripted.seen.clear()

    invoke("sync", model, "x")
    invoke("sync", model, "x", stop=["."], temperature=1.0)

    first, second = samples.scripted.seen
    assert (first["temperature"], first["max_tokens"], first["stop"]) == (0.25, 9, ["!"])
    assert (second["temperature"], second["stop"]) == (1.0, ["."])


@WAYS
def test_a_failure_is_raised(way: str, remote_model: Any, gateway: FakeGateway) -> None:
    model = remote_model()
    gateway.fail(GENERATE, "CIRCUIT_OPEN", "the model keeps failing")
    gateway.fail(STREAM, "MODEL_FAILED", "the model failed")

    with pytest.raises(RemoteError, match="CIRCUIT_OPEN"):
        invoke(way, model, "x")
    with pytest.raises(RemoteError, match="MODEL_FAILED"):
        chunks(way, model, "x")


@WAYS
@pytest.mark.parametrize("end", ["none", "garbage"])
def test_a_stream_against_the_contract_is_raised(way: str, end: str, remote_model: Any, gateway: FakeGateway) -> None:
    model = remote_model()
    good = model_pb2.ModelServiceStreamResponse(seq=1, chunk={"role": "ROLE_ASSISTANT", "content": [{"text": "half"}]})
    bad = model_pb2.ModelServiceStreamResponse(seq=1, chunk={"role": "ROLE_USER"})
    gateway.answers[STREAM] = lambda request, context: [(good if end == "none" else bad).SerializeToString()]

    with pytest.raises(RemoteError, match="CONTRACT_VIOLATED"):
        chunks(way, model, "x")


def test_an_answer_of_someone_else_is_raised(remote_model: Any, gateway: FakeGateway) -> None:
    model = remote_model()
    answer = model_pb2.ModelServiceGenerateResponse(message={"role": "ROLE_USER"})
    gateway.answers[GENERATE] = lambda request, context: [answer.SerializeToString()]

    with pytest.raises(RemoteError, match="CONTRACT_VIOLATED"):
        invoke("sync", model, "x")


def test_a_model_without_tools_says_so_when_they_are_bound(remote_model: Any) -> None:
    with pytest.raises(ValueError, match="cannot ask for tools"):
        remote_model("mute").bind_tools([add])


def test_a_providers_own_tool_cannot_be_offered(remote_model: Any) -> None:
    model = remote_model()

    with pytest.raises(ValueError, match="runs at a provider"):
        model.invoke("x", tools=[{"type": "web_search"}])


def test_its_own_timeout_shortens_the_call(remote_model: Any, gateway: FakeGateway, in_call: CallContext) -> None:
    invoke("sync", remote_model().model_copy(update={"timeout": 1.0}), "x")

    assert gateway.seen[-1].remaining < 1.5  # grpc rounds up


def test_standard_parameters_name_the_model(remote_model: Any) -> None:
    assert remote_model()._get_ls_params()["ls_model_name"] == "scripted"


OFFERED = [{"type": "function", "function": {"name": "add"}}]


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        (None, ""),
        (False, ""),
        ("auto", "auto"),
        ("required", "any"),
        (True, "add"),
        ({"type": "function", "function": {"name": "add"}}, "add"),
        ({"type": "tool", "name": "add"}, "add"),
        ({"type": "any"}, "any"),
        ("add", "add"),
    ],
)
def test_a_choice_is_one_word(choice: Any, word: str) -> None:
    assert choice_of(choice, OFFERED) == word
    assert choice_of(True, OFFERED * 2) == "any"
