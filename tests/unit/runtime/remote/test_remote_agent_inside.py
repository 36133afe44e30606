"""A remote agent inside of other things: under callbacks, as a node of a graph, as a tool."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from firebreak.v1 import agent_pb2
from firebreak_runtime.objects.drivers import driver_for
from firebreak_runtime.remote import Gateway, RemoteAgent, RemoteError
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from pydantic import BaseModel

from tests.unit.runtime import frameworks, samples
from tests.unit.runtime.fake_gateway import FakeGateway
from tests.unit.runtime.frameworks import END, START, MessagesState, StateGraph
from tests.unit.runtime.remote.recorder import Recorder

RUN = "/firebreak.v1.AgentService/Run"
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@pytest.fixture
def agent(serve: Any, door: Gateway) -> RemoteAgent:
    served = serve("build_from_model", "agent")
    served._driver = driver_for(local())
    return RemoteAgent(target="build-from-model", gateway=door)


def local() -> Any:
    return frameworks.graph(samples.scripted_later, [samples.add_later])


def invoke(way: str, agent: Any, door: Gateway, given: Any, config: Any = None) -> Any:
    if way == "sync":
        return agent.invoke(given, config)

    async def run() -> Any:
        try:
            return await agent.ainvoke(given, config)
        finally:
            await door.aclose()

    return asyncio.run(run())


@WAYS
def test_callbacks_hear_of_the_run_its_model_and_its_tools(way: str, agent: RemoteAgent, door: Gateway) -> None:
    heard, run_id = Recorder(), uuid4()
    config = {"callbacks": [heard], "run_id": run_id, "run_name": "asking", "tags": ["t"], "metadata": {"m": 1}}

    answer = invoke(way, agent, door, "5 and 3?", config)

    (start, end) = heard.of("chain")
    assert (start.event, start.run, start.parent, start.given) == ("on_chain_start", run_id, None, "5 and 3?")
    assert (start.more["name"], start.tags, start.metadata["m"]) == ("asking", ["t"], 1)
    assert end.given == answer
    assert heard.events("tool") == ["on_tool_start", "on_tool_end"]
    starts = [told for told in heard.told if told.event in ("on_chat_model_start", "on_tool_start")]
    assert [told.event for told in starts] == ["on_chat_model_start", "on_tool_start", "on_chat_model_start"]
    assert {told.parent for told in starts} == {run_id}
    assert all(told.tags == ["t"] and told.metadata["m"] == 1 for told in starts)


@WAYS
def test_they_hear_what_they_hear_of_a_local_agent(way: str, agent: RemoteAgent, door: Gateway) -> None:
    here, there = Recorder(), Recorder()

    asyncio.run(local().ainvoke({"messages": ["5 and 3?"]}, {"callbacks": [here]}))
    invoke(way, agent, door, "5 and 3?", {"callbacks": [there]})

    def what(heard: Recorder) -> list[Any]:
        told = [one for one in heard.of("llm", "tool") if one.event != "on_llm_new_token"]
        return [(one.event, said(one.given) if one.event != "on_chat_model_start" else None) for one in told]

    assert what(there) == what(here)
    model_starts = [told for told in there.told if told.event == "on_chat_model_start"]
    assert [message.type for message in model_starts[1].given[0]] == ["human", "ai", "tool"]


def said(given: Any) -> Any:
    if isinstance(given, ToolMessage):
        return (given.content, given.tool_call_id, given.status)
    if hasattr(given, "generations"):
        message = given.generations[0][0].message
        return (message.content, [call["args"] for call in message.tool_calls], message.usage_metadata)
    return given


@WAYS
def test_tokens_are_counted_as_of_a_local_agent(way: str, agent: RemoteAgent, door: Gateway) -> None:
    here, there = UsageMetadataCallbackHandler(), UsageMetadataCallbackHandler()

    asyncio.run(local().ainvoke({"messages": ["5 and 3?"]}, {"callbacks": [here]}))
    invoke(way, agent, door, "5 and 3?", {"callbacks": [there]})

    assert there.usage_metadata == here.usage_metadata != {}


@WAYS
def test_what_had_begun_fails_with_the_run(way: str, agent: RemoteAgent, door: Gateway, gateway: FakeGateway) -> None:
    heard = Recorder()
    begun = [
        {"message_started": {"message_id": "m", "role": "ROLE_ASSISTANT"}},
        {"tool_started": {"tool_call_id": "c", "name": "add", "args_json": b"no json"}},
    ]

    def answer(request: bytes, context: Any) -> Any:
        for seq, event in enumerate(begun, 1):
            yield agent_pb2.AgentServiceRunResponse(seq=seq, **event).SerializeToString()
        failing(request, context)

    gateway.fail(RUN, "WORKER_DIED")
    failing, gateway.answers[RUN] = gateway.answers[RUN], answer

    with pytest.raises(RemoteError):
        invoke(way, agent, door, "x", {"callbacks": [heard]})

    assert heard.events("llm", "tool", "chain") == [
        "on_chain_start",
        "on_chat_model_start",
        "on_tool_start",
        "on_tool_error",
        "on_llm_error",
        "on_chain_error",
    ]


@WAYS
def test_what_tools_report_is_told_as_of_a_local_agent(
    way: str, agent: RemoteAgent, serve: Any, env: Any, gateway: FakeGateway, door: Gateway
) -> None:
    heard = Recorder()
    told = [
        {"tool_started": {"tool_call_id": "c", "name": "add", "args_json": b"{}"}},
        {"tool_output": {"tool_call_id": "c", "name": "step", "data_json": b'{"name": "step", "data": {"done": 1}}'}},
        {"tool_output": {"tool_call_id": "c", "data_json": b'"written"'}},
        {"run_finished": {"state_json": b'{"done": true}'}},
    ]
    wire = [agent_pb2.AgentServiceRunResponse(seq=n, **event).SerializeToString() for n, event in enumerate(told, 1)]
    gateway.answers[RUN] = lambda request, context: wire

    invoke(way, agent, door, "x", {"callbacks": [heard]})

    (event,) = heard.of("custom")
    assert (event.given, event.run) == (("step", {"done": 1}), heard.of("tool")[0].run)
    assert list(agent.stream("x", stream_mode="custom")) == ["written"]


def test_who_listens_to_nothing_gets_one_answer_and_no_stream(agent: RemoteAgent, gateway: FakeGateway) -> None:
    agent.invoke("x")
    assert gateway.seen[-1].method.endswith("/Invoke")

    agent.invoke("x", {"callbacks": [Recorder()]})
    assert gateway.seen[-1].method.endswith("/Run")


async def test_streamed_events_are_those_of_a_local_agent(agent: RemoteAgent, door: Gateway) -> None:
    async def kinds(runnable: Any) -> list[str]:
        events = runnable.astream_events({"messages": ["5 and 3?"]}, version="v2")
        return [event["event"] async for event in events if "chat_model" in event["event"] or "tool" in event["event"]]

    there, here = await kinds(agent), await kinds(local())
    assert there == here
    await door.aclose()


def asking(agent: RemoteAgent) -> Any:
    """A graph around the agent."""
    graph = StateGraph(MessagesState).add_node("helper", agent).add_edge(START, "helper").add_edge("helper", END)
    return graph.compile()


@WAYS
def test_it_is_a_node_of_a_graph(way: str, agent: RemoteAgent, door: Gateway) -> None:
    given = {"messages": [HumanMessage("5 and 3?", id="q-1")]}

    messages = invoke(way, asking(agent), door, given)["messages"]

    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert (messages[0].id, messages[-1].content) == ("q-1", "I read 8")


def test_a_graph_around_it_streams_its_tokens(agent: RemoteAgent) -> None:
    items = list(asking(agent).stream({"messages": ["5 and 3?"]}, stream_mode="messages"))

    tokens = [message.content for message, _ in items if isinstance(message, AIMessageChunk)]
    assert "".join(tokens) == "I read 8" and len(tokens) > 3
    assert {metadata["langgraph_node"] for _, metadata in items} == {"helper"}
    whole = [message for message, _ in items if not isinstance(message, AIMessageChunk)]
    assert [message.type for message in whole] == ["tool"]


@WAYS
def test_it_is_a_tool_of_another_agent(way: str, agent: RemoteAgent, door: Gateway) -> None:
    tool = agent.as_tool()
    heard = Recorder()

    assert (tool.name, list(tool.args)) == ("build_from_model", ["request"])
    call = {"name": tool.name, "args": {"request": "5 and 3?"}, "id": "c-1", "type": "tool_call"}
    answer = invoke(way, tool, door, call, {"callbacks": [heard]})

    assert (answer.content, answer.tool_call_id, answer.status) == ("I read 8", "c-1", "success")
    assert heard.of("chain")[0].parent == heard.of("tool")[0].run


@WAYS
def test_a_failing_agent_is_a_failing_tool(way: str, agent: RemoteAgent, door: Gateway, gateway: FakeGateway) -> None:
    gateway.fail("/firebreak.v1.AgentService/Invoke", "CIRCUIT_OPEN")
    tool = agent.as_tool(name="ask_it", description="Knows it.")

    call = {"name": "ask_it", "args": {"request": "x"}, "id": "c-1", "type": "tool_call"}
    answer = invoke(way, tool, door, call)

    assert (tool.description, answer.status) == ("Knows it.", "error")
    assert "keeps failing" in answer.content


class Question(BaseModel):
    """A question with some state."""

    messages: list[str]


def test_with_a_schema_of_its_own_the_tool_is_langchains(agent: RemoteAgent) -> None:
    tool = agent.as_tool(Question, name="ask")

    output = tool.invoke({"messages": ["hi"]})

    assert [type(message) for message in output["messages"]][:2] == [HumanMessage, AIMessage]
