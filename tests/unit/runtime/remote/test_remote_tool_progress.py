"""What a remote tool reports while it runs is heard where a local tool's reports are; and who stops listening stops it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.remote import RemoteTool
from firebreak_runtime.remote.listener import listener
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.messages import AIMessage, ToolMessage

from tests.unit.runtime import graph_samples as samples
from tests.unit.runtime import samples as plain_samples
from tests.unit.runtime.fake_gateway import FakeGateway

# The samples have imported langgraph, which warns of its own imports on 0.6.
from langgraph.graph import END, START, MessagesState, StateGraph  # isort: skip
from langgraph.prebuilt import ToolNode  # isort: skip

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
STREAM = "/firebreak.v1.ToolService/Stream"
STEPS: Any = {"type": "tool_call", "id": "c-1", "name": "it", "args": {"steps": 2}}


class Events(BaseCallbackHandler):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.heard.append((name, data))


class EventsLater(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.heard.append((name, data))


@pytest.fixture
def remote(remote_tool: Any) -> Callable[..., RemoteTool]:
    """A sample as a proxy."""
    return lambda name, **fields: remote_tool(name, module="graph_samples", **fields)


async def closing(tool: Any, waited: Any) -> Any:
    try:
        return await waited
    finally:
        if isinstance(tool, RemoteTool):
            await tool.gateway.aclose()


def in_graph(way: str, tool: Any, *handlers: Any) -> list[Any]:
    """What the stream of a graph around the tool yields, in mode "custom"."""
    shape: Any = StateGraph(MessagesState).add_node("tools", ToolNode([tool])).add_edge(START, "tools")
    graph = shape.add_edge("tools", END).compile()
    given = {"messages": [AIMessage("", tool_calls=[{**STEPS, "name": tool.name}])]}
    config: Any = {"callbacks": list(handlers)}

    async def astream() -> list[Any]:
        return [part async for part in graph.astream(given, config, stream_mode="custom")]

    if way == "sync":
        return list(graph.stream(given, config, stream_mode="custom"))
    found: list[Any] = asyncio.run(closing(tool, astream()))
    return found


@WAYS
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("name", ["writes_stream", "writes_stream_later"])
def test_a_graphs_stream_and_its_handlers_hear_the_same(way: str, mode: str, name: str, remote: Any) -> None:
    local = samples.writes_stream if way == "sync" else getattr(samples, name)
    here, there = Events(), Events()

    assert in_graph(way, remote(name, mode=mode), there) == in_graph(way, local, here) == [{"step": 0}, {"step": 1}]
    assert there.heard == here.heard == [("done", {"steps": 2})]


@WAYS
@pytest.mark.parametrize("handler", [Events, EventsLater])
def test_handlers_outside_of_a_graph_hear_custom_events(way: str, handler: Any, remote_tool: Any) -> None:
    if way == "sync" and handler is EventsLater:
        handler = Events  # LangChain runs no coroutine for sync callers
    here, there = handler(), handler()
    tool = remote_tool("reports")

    if way == "sync":
        plain_samples.reports.invoke(STEPS, {"callbacks": [here]})
        tool.invoke(STEPS, {"callbacks": [there]})
    else:
        asyncio.run(plain_samples.reports.ainvoke(STEPS, {"callbacks": [here]}))
        asyncio.run(closing(tool, tool.ainvoke(STEPS, {"callbacks": [there]})))

    assert there.heard == here.heard == [("step", {"done": 0}), ("step", {"done": 1})]


@WAYS
def test_where_nobody_hears_the_tool_is_called_without_a_stream(
    way: str, remote_tool: Any, gateway: FakeGateway
) -> None:
    tool = remote_tool("reports")

    if way == "sync":
        tool.invoke(STEPS, {"callbacks": [BaseCallbackHandler()]})
    else:
        asyncio.run(closing(tool, tool.ainvoke(STEPS, {"callbacks": [BaseCallbackHandler()]})))

    assert gateway.seen[-1].method == "/firebreak.v1.ToolService/Call"


@pytest.mark.parametrize("name", ["writes_stream", "writes_stream_later"])
def test_a_served_agents_listener_hears_once(name: str, remote: Any) -> None:
    class Journal:
        def __init__(self) -> None:
            self.told: list[Any] = []

        async def tool_started(self, tool_call_id: str, name: str, args_json: bytes) -> None:
            self.told.append((tool_call_id, name))

        async def tool_output(self, tool_call_id: str, data_json: bytes, name: str = "") -> None:
            self.told.append((tool_call_id, data_json))

    journal = Journal()
    token = listener.set(journal)
    try:
        streamed = in_graph("async", remote(name))
    finally:
        listener.reset(token)

    assert streamed == []
    assert [call_id for call_id, _ in journal.told] == ["c-1"] * 4
    assert journal.told[1:] == [
        ("c-1", b'{"step":0}'),
        ("c-1", b'{"step":1}'),
        ("c-1", b'{"name":"done","data":{"steps":2}}'),
    ]


@WAYS
def test_a_graph_within_the_tool_streams_through_it(way: str, remote: Any) -> None:
    tool = remote("runs_a_graph")
    call: Any = {**STEPS, "args": {"word": "so"}}

    message = tool.invoke(call) if way == "sync" else asyncio.run(closing(tool, tool.ainvoke(call)))

    assert message.content == "so!"


def endless(gateway: FakeGateway) -> None:
    """The tool reports once, and then works on until its caller is gone."""

    def answer(_: bytes, context: Any) -> Iterator[bytes]:
        gone = threading.Event()
        context.add_callback(gone.set)
        progress = tool_pb2.ToolProgress(data_json=b'{"name": "step", "data": 1}', name="step")
        yield tool_pb2.ToolServiceStreamResponse(seq=1, progress=progress).SerializeToString()
        gone.wait(30)

    gateway.answers[STREAM] = answer


def test_cancelling_in_the_midst_of_a_stream_cancels_the_call(remote_tool: Any, gateway: FakeGateway) -> None:
    tool = remote_tool("reports")
    endless(gateway)

    async def cancelled_midway() -> None:
        heard = asyncio.Event()

        class Handler(AsyncCallbackHandler):
            async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
                heard.set()

        task = asyncio.create_task(tool.ainvoke(STEPS, {"callbacks": [Handler()]}))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(closing(tool, cancelled_midway()))

    assert gateway.seen[-1].cancelled.wait(10)


def test_a_sync_caller_that_breaks_off_cancels_the_call(remote_tool: Any, gateway: FakeGateway) -> None:
    class Handler(BaseCallbackHandler):
        raise_error = True

        def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

    tool = remote_tool("reports")
    endless(gateway)

    with pytest.raises(KeyboardInterrupt):
        tool.invoke(STEPS, {"callbacks": [Handler()]})

    assert gateway.seen[-1].cancelled.wait(10)


def test_leaving_the_stream_of_a_graph_cancels_the_call(remote_tool: Any, gateway: FakeGateway) -> None:
    tool = remote_tool("reports")

    def answer(_: bytes, context: Any) -> Iterator[bytes]:
        gone = threading.Event()
        context.add_callback(gone.set)
        progress = tool_pb2.ToolProgress(data_json=b"1")
        yield tool_pb2.ToolServiceStreamResponse(seq=1, progress=progress).SerializeToString()
        gone.wait(30)

    gateway.answers[STREAM] = answer
    shape: Any = StateGraph(MessagesState).add_node("tools", ToolNode([tool])).add_edge(START, "tools")
    graph = shape.add_edge("tools", END).compile()
    given = {"messages": [AIMessage("", tool_calls=[{**STEPS, "name": tool.name}])]}

    async def left() -> Any:
        async with aclosing(graph.astream(given, stream_mode="custom")) as stream:
            return await anext(stream)

    assert asyncio.run(closing(tool, left())) == 1
    assert gateway.seen[-1].cancelled.wait(10)


@WAYS
@pytest.mark.parametrize(
    "progress", [{"data_json": b"{"}, {"data_json": b"1", "name": "x"}, {"data_json": b"{}", "name": "x"}]
)
def test_a_report_that_is_none_is_a_broken_answer(way: str, progress: Any, remote_tool: Any, gateway: Any) -> None:
    tool = remote_tool("reports")
    event = tool_pb2.ToolServiceStreamResponse(seq=1, progress=progress).SerializeToString()
    gateway.answers[STREAM] = lambda request, context: [event]
    config: Any = {"callbacks": [Events()]}

    message = tool.invoke(STEPS, config) if way == "sync" else asyncio.run(closing(tool, tool.ainvoke(STEPS, config)))

    assert isinstance(message, ToolMessage)
    assert (message.status, message.content) == ("error", "the tool gave no usable answer.")
