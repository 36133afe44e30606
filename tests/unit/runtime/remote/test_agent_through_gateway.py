"""An agent whose tools and model are elsewhere: built from Describe, run through the gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from firebreak.v1 import agent_pb2, payload_pb2, tool_pb2
from firebreak_runtime.context import CallContext
from firebreak_runtime.errors import LoadError, ServedError
from firebreak_runtime.objects import load
from firebreak_runtime.served import WorkerEnv
from firebreak_runtime.service_file import ServiceFile

from tests.unit.runtime import frameworks
from tests.unit.runtime.fake_gateway import FakeGateway

QUESTION = agent_pb2.AgentInput(
    target="assistant", messages=[{"role": payload_pb2.ROLE_USER, "content": [{"text": "5 and 3?"}]}]
)
BUILDERS = pytest.mark.parametrize("builder", frameworks.BUILDERS)


async def ask(
    env: WorkerEnv,
    builder: str,
    method: str = "Run",
    tools: tuple[str, ...] = ("add",),
    models: tuple[str, ...] = ("router",),
) -> list[Any]:
    """Starts the agent as its worker would, and asks it once."""
    entrypoint = f"tests.unit.runtime.frameworks:{builder}"
    service = ServiceFile(Path.cwd(), "assistant", "agent", "1.0.0", entrypoint, uses_tools=tools, uses_models=models)
    served = load(service)
    await served.start(WorkerEnv(env.gateway, env.token_file, service))
    request: Any = {"Run": agent_pb2.AgentServiceRunRequest, "Invoke": agent_pb2.AgentServiceInvokeRequest}[method]
    answer: Any = {"Run": agent_pb2.AgentServiceRunResponse, "Invoke": agent_pb2.AgentServiceInvokeResponse}[method]
    messages: list[Any] = []

    async def emit(message: bytes) -> None:
        messages.append(answer.FromString(message))

    await served.acall(method, request(input=QUESTION).SerializeToString(), emit)
    return messages


def tool_calls(gateway: FakeGateway) -> list[tool_pb2.ToolCall]:
    kinds = {"Call": tool_pb2.ToolServiceCallRequest, "Stream": tool_pb2.ToolServiceStreamRequest}
    calls = [(seen.method.rsplit("/", 1), seen.request) for seen in gateway.seen]
    return [
        kinds[name].FromString(request).call
        for (service, name), request in calls
        if "Tool" in service and name in kinds
    ]


@BUILDERS
async def test_an_answer_by_way_of_a_remote_tool(
    builder: str, serve: Any, env: WorkerEnv, gateway: FakeGateway, in_call: CallContext
) -> None:
    serve("add", "tool")
    serve("scripted", "model")

    (answer,) = await ask(env, builder, "Invoke")

    assert answer.result.message.content[0].text == "I read 8"
    (call,) = tool_calls(gateway)
    assert (call.target, call.tool_call_id) == ("add", "call-1")
    served = [seen for seen in gateway.seen if not seen.method.endswith("Describe")]
    assert {seen.metadata["firebreak-session"] for seen in served} == {"session-1"}


@BUILDERS
async def test_what_a_remote_tool_reports_is_told_between_its_start_and_its_end(
    builder: str, serve: Any, env: WorkerEnv, gateway: FakeGateway, in_call: CallContext
) -> None:
    serve("add", "tool")
    serve("scripted", "model")
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=[{"text": "8"}])
    gateway.answers["/firebreak.v1.ToolService/Stream"] = lambda request, context: [
        tool_pb2.ToolServiceStreamResponse(seq=1, progress={"data_json": b'"half way"'}).SerializeToString(),
        tool_pb2.ToolServiceStreamResponse(seq=2, result=result).SerializeToString(),
    ]

    events = await ask(env, builder)

    told = [event for event in events if event.WhichOneof("event").startswith("tool_")]
    assert [event.WhichOneof("event") for event in told] == ["tool_started", "tool_output", "tool_finished"]
    assert {getattr(event, event.WhichOneof("event")).tool_call_id for event in told} == {"call-1"}
    assert orjson.loads(told[1].tool_output.data_json) == "half way"
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].run_finished.message.content[0].text == "I read 8"


@BUILDERS
async def test_each_message_is_started_and_finished_once(
    builder: str, serve: Any, env: WorkerEnv, gateway: FakeGateway, in_call: CallContext
) -> None:
    serve("add", "tool")
    serve("scripted", "model")

    events = await ask(env, builder)

    started = [event.message_started.message_id for event in events if event.HasField("message_started")]
    finished = [event.message_finished.message.id for event in events if event.HasField("message_finished")]
    assert started == finished and len(set(started)) == 2
    assert {event.content_delta.message_id for event in events if event.HasField("content_delta")} == {started[1]}


@BUILDERS
async def test_a_denied_tool_does_not_end_the_agents_turn(
    builder: str, serve: Any, env: WorkerEnv, gateway: FakeGateway, in_call: CallContext
) -> None:
    serve("add", "tool")
    serve("scripted", "model")
    for method in ("Call", "Stream"):
        gateway.fail(f"/firebreak.v1.ToolService/{method}", "POLICY_DENIED", metadata={"field": "args.a"})

    events = await ask(env, builder)

    (finished,) = [event.tool_finished for event in events if event.HasField("tool_finished")]
    assert finished.message.tool_failed
    text = "policy does not allow this call because of args.a. Do not repeat it unchanged."
    assert finished.message.content[0].text == text
    assert events[-1].run_finished.message.content[0].text == f"I read {text}"


@BUILDERS
@pytest.mark.parametrize("method", ["Invoke", "Run"])
async def test_a_failing_model_ends_the_run_with_its_reason(
    builder: str, method: str, serve: Any, env: WorkerEnv, gateway: FakeGateway, in_call: CallContext
) -> None:
    serve("add", "tool")
    serve("scripted", "model")
    for name in ("Generate", "Stream"):
        gateway.fail(f"/firebreak.v1.ModelService/{name}", "CIRCUIT_OPEN", "the model keeps failing")

    with pytest.raises(ServedError) as error:
        await ask(env, builder, method)

    assert error.value.reason == "AGENT_FAILED"
    assert error.value.metadata == {"cause": "CIRCUIT_OPEN", "cause_target": "router"}
    assert "the model keeps failing" in error.value.message


@BUILDERS
@pytest.mark.parametrize("method", ["Invoke", "Run"])
async def test_the_next_model_answers_where_the_first_cannot(
    builder: str, method: str, serve: Any, env: WorkerEnv, gateway: FakeGateway, in_call: CallContext
) -> None:
    serve("add", "tool")
    serve("scripted", "model")
    for name in ("Generate", "Stream"):
        _away(gateway, f"/firebreak.v1.ModelService/{name}")

    *_, last = await ask(env, builder, method, models=("away", "router"))

    result = last.result if method == "Invoke" else last.run_finished
    assert result.message.content[0].text == "I read 8"
    assert orjson.loads(result.message.metadata_json)["firebreak_target"] == "router"


def _away(gateway: FakeGateway, method: str) -> None:
    """The model "away" keeps failing, every other one answers."""
    fine = gateway.answers[method]
    gateway.fail(method, "CIRCUIT_OPEN")
    fails = gateway.answers[method]
    gateway.answers[method] = lambda request, context: (fails if b"away" in request else fine)(request, context)


async def test_cancelling_the_run_cancels_the_tool(
    serve: Any, env: WorkerEnv, gateway: FakeGateway, in_call: CallContext
) -> None:
    serve("add", "tool")
    serve("scripted", "model")

    def never(request: bytes, context: Any) -> Any:
        gateway.seen[-1].cancelled.wait(10)
        yield b""

    gateway.answers["/firebreak.v1.ToolService/Stream"] = never
    task = asyncio.ensure_future(ask(env, "graph"))
    while not any(seen.method == "/firebreak.v1.ToolService/Stream" for seen in gateway.seen):
        await asyncio.sleep(0.005)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(gateway.seen[-1].cancelled.wait, 5)


async def test_two_tools_of_one_name_are_refused(serve: Any, env: WorkerEnv) -> None:
    serve("add", "tool")
    serve("scripted", "model")

    with pytest.raises(LoadError, match="the same name: add, add"):
        await ask(env, "graph", tools=("add", "add-again"))


if frameworks.OLD:

    async def test_an_agent_that_asks_in_text_gets_a_made_up_id(
        serve: Any, env: WorkerEnv, gateway: FakeGateway, in_call: CallContext
    ) -> None:
        serve("classic", "tool")
        serve("asks_in_text", "model")

        events = await ask(env, "text_executor", tools=("shout",))

        told = [event for event in events if event.WhichOneof("event").startswith("tool_")]
        assert [event.WhichOneof("event") for event in told] == ["tool_started", "tool_finished"]
        assert {getattr(event, event.WhichOneof("event")).tool_call_id for event in told} == {"shout-1"}
        assert events[-1].run_finished.message.content[0].text == "it was HEY"
