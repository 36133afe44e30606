"""An agent behind the gateway is used as the one that create_agent makes, and gives the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest
from firebreak.v1 import agent_pb2
from firebreak_runtime.objects.drivers import driver_for
from firebreak_runtime.remote import Gateway, RemoteAgent, RemoteError
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from tests.unit.runtime import agents, frameworks, samples
from tests.unit.runtime.fake_gateway import FakeGateway

INVOKE = "/firebreak.v1.AgentService/Invoke"
RUN = "/firebreak.v1.AgentService/Run"
WAYS = pytest.mark.parametrize("way", ["sync", "async"])
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)  # noqa: UP017  # Python 3.10 too
ASKED = {"messages": [HumanMessage("what is 5 and 3?", id="q-1")]}


@dataclass
class Both:
    """The same agent here and behind the gateway."""

    local: Any
    remote: RemoteAgent


@pytest.fixture
def both(serve: Any, door: Gateway) -> Callable[..., Both]:
    def make(local: Any = None, **fields: Any) -> Both:
        local = local if local is not None else frameworks.graph(samples.scripted_later, [samples.add_later])
        served = serve("build_from_model", "agent")
        served._driver = driver_for(local)
        return Both(local, RemoteAgent(target="build-from-model", gateway=door, **fields))

    return make


def on_loop(door: Gateway, coroutine: Any) -> Any:
    async def run() -> Any:
        try:
            return await coroutine
        finally:
            await door.aclose()

    return asyncio.run(run())


def invoke(way: str, agent: RemoteAgent, given: Any, config: Any = None) -> Any:
    return agent.invoke(given, config) if way == "sync" else on_loop(agent.gateway, agent.ainvoke(given, config))


def streamed(way: str, agent: Any, door: Gateway, given: Any, mode: Any) -> list[Any]:
    if way == "sync":
        return list(agent.stream(given, stream_mode=mode))

    async def collected() -> list[Any]:
        return [item async for item in agent.astream(given, stream_mode=mode)]

    return list(on_loop(door, collected()))


def here(agent: Any, given: Any, mode: Any) -> list[Any]:
    """What the agent streams in this process; its tools have coroutines alone."""

    async def collected() -> list[Any]:
        return [item async for item in agent.astream(given, stream_mode=mode)]

    return asyncio.run(collected())


def plain(value: Any) -> Any:
    """Without what is new in each run, and with a tool call's position in place of its provider's own index."""
    if isinstance(value, BaseMessage):
        fields = value.model_dump(exclude={"id"})
        fields["tool_call_chunks"] = [{**part, "index": 0} for part in fields.get("tool_call_chunks", ())]
        return (type(value).__name__, {name: part for name, part in fields.items() if part})
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


@WAYS
def test_the_whole_conversation_comes_back(way: str, both: Any) -> None:
    pair = both()

    there = invoke(way, pair.remote, ASKED)

    assert plain(there) == plain(asyncio.run(pair.local.ainvoke(ASKED)))
    assert there["messages"][0] == ASKED["messages"][0]
    assert all(message.id for message in there["messages"])


@pytest.mark.parametrize(
    "given",
    [
        "hi",
        HumanMessage("hi"),
        [("user", "hi")],
        ("user", "hi"),
        {"messages": "hi"},
        {"messages": [{"role": "user", "content": "hi"}]},
        ChatPromptTemplate.from_messages([("user", "{text}")]).invoke({"text": "hi"}),
    ],
)
def test_it_is_asked_in_every_way_that_langchain_knows(given: Any, both: Any) -> None:
    messages = both().remote.invoke(given)["messages"]

    assert (messages[0].type, messages[0].content) == ("human", "hi")


def test_what_was_said_before_goes_along(both: Any) -> None:
    samples.scripted_later.seen.clear()
    given = [SystemMessage("be kind"), HumanMessage("one"), AIMessage("two"), HumanMessage("three")]

    both().remote.invoke({"messages": given})

    seen = samples.scripted_later.seen[0]["messages"]
    assert [(message.type, message.content) for message in seen] == [(m.type, m.content) for m in given]
    assert all(message.id is None for message in given)


@WAYS
def test_further_state_goes_in_and_comes_back(way: str, both: Any) -> None:
    pair = both(frameworks.counting)

    answer = invoke(way, pair.remote, {"messages": ["go"], "count": 41})

    assert answer["count"] == 42
    assert [message.content for message in answer["messages"]] == ["go", "counted"]


def test_an_agent_of_its_own_shape_needs_no_message(both: Any) -> None:
    assert both(agents.doubling).remote.invoke({"number": 4}) == {"messages": [], "number": 8}


def test_only_the_named_state_leaves(both: Any, gateway: FakeGateway) -> None:
    both(frameworks.counting, state_keys=("count",)).remote.invoke({"messages": ["go"], "count": 1, "secret": "x"})

    sent = agent_pb2.AgentServiceInvokeRequest.FromString(gateway.seen[-1].request).input
    assert sent.state_json == b'{"count":1}'


@pytest.mark.parametrize(
    ("value", "wrong"),
    [({"deep": object()}, r"it\.deep is a object"), (2**70, "cannot be sent"), (float("nan"), "NaN")],
)
def test_state_that_cannot_be_sent_is_named(value: Any, wrong: str, both: Any, gateway: FakeGateway) -> None:
    with pytest.raises(ValueError, match=wrong):
        both().remote.invoke({"messages": ["x"], "it": value})
    assert gateway.seen == []


@WAYS
def test_what_json_has_no_word_for_crosses_as_it_is(way: str, both: Any) -> None:
    notes = [Document("a page", metadata={"line": 7}), HumanMessage("aside", id="h-1"), ("a", {1, 2}), b"\x00", WHEN]
    pair = both(agents.noting)

    answer = invoke(way, pair.remote, {"messages": ["x"], "notes": notes})

    assert answer["notes"] == [*notes, {"$firebreak": "mine"}]
    updates = streamed(way, pair.remote, pair.remote.gateway, {"messages": ["x"], "notes": notes}, "updates")
    assert updates == [{"node": {"notes": answer["notes"]}}]


def test_what_cannot_come_back_is_named_by_its_type(both: Any) -> None:
    assert both(agents.odd).remote.invoke("x")["notes"] == [{"not_json": "builtins.object"}]


def test_state_that_is_none_is_a_contract_broken(both: Any, gateway: FakeGateway) -> None:
    answer = agent_pb2.AgentServiceInvokeResponse(result={"state_json": b'{"a": {"$firebreak": "gun"}}'})
    remote = both().remote
    gateway.answers[INVOKE] = lambda request, context: [answer.SerializeToString()]

    with pytest.raises(RemoteError, match="CONTRACT_VIOLATED"):
        remote.invoke("x")


@WAYS
def test_a_changed_conversation_comes_back_as_it_is(way: str, both: Any) -> None:
    pair = both(agents.tidying)
    given = {"messages": [HumanMessage("my key is 123", id="q-1"), HumanMessage("drop me", id="q-2")]}

    answer = invoke(way, pair.remote, given)

    assert plain(answer) == plain(asyncio.run(pair.local.ainvoke(given)))
    assert [(m.id, m.content) for m in answer["messages"]] == [("q-1", "my key is …"), ("a-1", "tidy")]


class Weather(BaseModel):
    """Some weather."""

    degrees: int


@WAYS
def test_a_structured_response_is_json_or_the_callers_type(way: str, both: Any) -> None:
    assert invoke(way, both(agents.structured).remote, "x")["structured_response"] == {"degrees": 21}

    typed = both(agents.structured, response_type=Weather).remote
    assert invoke(way, typed, "x")["structured_response"] == Weather(degrees=21)
    for mode in ("values", ["values", "updates"]):
        *_, last = streamed(way, typed, typed.gateway, "x", mode)
        state = last if mode == "values" else last[1]
        assert state["structured_response"] == Weather(degrees=21)


def test_a_structured_response_of_another_shape_is_raised(both: Any) -> None:
    with pytest.raises(RemoteError, match=r"CONTRACT_VIOLATED.*no list"):
        both(agents.structured, response_type=list).remote.invoke("x")


@WAYS
@pytest.mark.parametrize("mode", ["updates", "values", "custom", ["updates", "values"]])
@pytest.mark.parametrize("name", ["tools", "counting", "reporting", "tidying", "silent"])
def test_a_stream_is_what_the_agent_streams_here(way: str, mode: Any, name: str, both: Any, door: Gateway) -> None:
    pair = both({"tools": None, "counting": frameworks.counting}.get(name) or getattr(agents, name, None))
    given = {"messages": [HumanMessage("go", id="q-1"), HumanMessage("on", id="q-2")], "count": 1}

    there = streamed(way, pair.remote, door, given, mode)

    assert plain(there) == plain(here(pair.local, given, mode))


@WAYS
def test_messages_stream_chunk_by_chunk_with_their_node(way: str, both: Any, door: Gateway) -> None:
    pair = both()

    there = streamed(way, pair.remote, door, ASKED, "messages")

    expected = here(pair.local, ASKED, "messages")
    assert plain([message for message, _ in there]) == plain([message for message, _ in expected])
    nodes = [metadata["langgraph_node"] for _, metadata in expected]
    assert [metadata["langgraph_node"] for _, metadata in there] == nodes


def test_a_model_that_does_not_stream_says_its_message_at_once(both: Any, door: Gateway) -> None:
    pair = both(frameworks.graph(samples.mute, []))

    (item,) = streamed("sync", pair.remote, door, "hi", "messages")

    assert isinstance(item[0], AIMessage) and item[0].content == "I read hi"


def test_updates_are_the_default_and_modes_in_a_list_are_named(both: Any, door: Gateway) -> None:
    remote = both(frameworks.counting).remote
    given = {"messages": ["go"], "count": 1}

    assert plain(list(remote.stream(given))) == plain(streamed("sync", remote, door, given, "updates"))
    pairs = streamed("sync", remote, door, given, ["values", "messages"])
    assert [mode for mode, _ in pairs] == ["values", "messages", "values"]


@pytest.mark.parametrize("mode", ["debug", "tasks", ["updates", "checkpoints"]])
def test_a_mode_that_no_event_tells_is_refused(mode: Any, both: Any, gateway: FakeGateway) -> None:
    with pytest.raises(ValueError, match="only values, updates, messages, custom"):
        next(iter(both().remote.stream("x", stream_mode=mode)))
    assert gateway.seen == []


def test_what_a_remote_agent_does_not_know_is_refused(both: Any) -> None:
    remote = both().remote
    with pytest.raises(TypeError, match="takes no context"):
        remote.invoke("x", context={})
    with pytest.raises(TypeError, match="takes no subgraphs"):
        next(iter(remote.stream("x", subgraphs=True)))


@pytest.mark.parametrize("name", ["chain", *(["executor"] if frameworks.OLD else [])])
def test_an_agent_that_is_no_graph_streams_its_messages(name: str, both: Any, door: Gateway) -> None:
    pair = both(getattr(frameworks, name)(samples.scripted_later, [samples.add_later]))

    updates = streamed("sync", pair.remote, door, ASKED, "updates")
    answer = pair.remote.invoke(ASKED)

    said = [message for update in updates for part in update.values() for message in part.get("messages", [])]
    assert plain(said) == plain(answer["messages"][1:])


@WAYS
def test_batches(way: str, both: Any) -> None:
    remote = both().remote

    answers = remote.batch(["a", "b"]) if way == "sync" else on_loop(remote.gateway, remote.abatch(["a", "b"]))

    assert [answer["messages"][0].content for answer in answers] == ["a", "b"]


@WAYS
def test_a_failure_is_raised(way: str, both: Any, gateway: FakeGateway, door: Gateway) -> None:
    remote = both().remote
    gateway.fail(INVOKE, "POLICY_DENIED", "not you")
    gateway.fail(RUN, "AGENT_FAILED", "it broke")

    with pytest.raises(RemoteError, match="POLICY_DENIED"):
        invoke(way, remote, "x")
    with pytest.raises(RemoteError, match="AGENT_FAILED"):
        streamed(way, remote, door, "x", "updates")
    answers = remote.batch(["a", "b"], return_exceptions=True)
    assert [type(answer) for answer in answers] == [RemoteError, RemoteError]


FINISHED = {"message_finished": {"message": {"role": "ROLE_USER", "content": [{"json": b"{"}]}}}


@WAYS
@pytest.mark.parametrize("event", [{}, FINISHED, {"state_updated": {"update_json": b"["}}])
def test_a_run_against_the_contract_is_raised(way: str, event: Any, both: Any, gateway: FakeGateway, door: Any) -> None:
    pair = both()
    wire = agent_pb2.AgentServiceRunResponse(seq=1, **event).SerializeToString()
    gateway.answers[RUN] = lambda request, context: [wire]

    with pytest.raises(RemoteError, match="CONTRACT_VIOLATED"):
        streamed(way, pair.remote, door, "x", "updates")


def one_then_waits(gateway: FakeGateway) -> Any:
    def answer(request: bytes, context: Any) -> Any:
        yield agent_pb2.AgentServiceRunResponse(
            seq=1, state_updated={"node": "n", "update_json": b"{}"}
        ).SerializeToString()
        gateway.seen[-1].cancelled.wait(10)

    return answer


def test_leaving_a_stream_cancels_the_run(both: Any, gateway: FakeGateway) -> None:
    remote = both().remote
    gateway.answers[RUN] = one_then_waits(gateway)

    stream: Any = remote.stream("x")
    assert next(stream) == {"n": {}}
    stream.close()

    assert gateway.seen[-1].cancelled.wait(5)


async def test_cancelling_the_task_cancels_the_run(both: Any, gateway: FakeGateway, door: Gateway) -> None:
    remote = both().remote
    gateway.answers[RUN] = one_then_waits(gateway)
    begun = asyncio.Event()

    async def follow() -> None:
        async for _ in remote.astream("x"):
            begun.set()

    task = asyncio.ensure_future(follow())
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(gateway.seen[-1].cancelled.wait, 5)
    await door.aclose()
