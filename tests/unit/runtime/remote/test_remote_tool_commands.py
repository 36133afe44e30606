"""What a tool tells the graph: a tool behind the gateway and the same tool in the agent's process do the same to it."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.commands import LIMIT
from firebreak_runtime.errors import ServedError
from firebreak_runtime.remote import RemoteTool
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from typing_extensions import TypedDict

from tests.unit.runtime import graph_samples as samples
from tests.unit.runtime.fake_gateway import FakeGateway
from tests.unit.runtime.frameworks import OLD

# The samples have imported langgraph, which warns of its own imports on 0.6.
from langgraph.graph import END, START, StateGraph  # isort: skip
from langgraph.graph.message import add_messages  # isort: skip
from langgraph.prebuilt import ToolNode  # isort: skip
from langgraph.types import Command, Send  # isort: skip

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
WHAT = ["update", "go", "send", "parent", "remove", "none", *([] if OLD else ["many"])]


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    mood: str
    pair: tuple[int, int]
    visited: Annotated[list[str], operator.add]


def after(state: State) -> dict[str, Any]:
    return {"visited": [state.get("mood", "")]}


def graph_of(tool: Any) -> Any:
    """A graph whose one node is a graph: its parent and itself have a node "after"."""
    inner = StateGraph(State).add_node("tools", ToolNode([tool])).add_node("after", after).add_edge(START, "tools")
    outer: Any = StateGraph(State).add_node("agent", inner.compile(), destinations=("after",)).add_node("after", after)
    return outer.add_edge(START, "agent").add_edge("after", END).compile()


def run(way: str, tool: Any, what: str) -> dict[str, Any]:
    call: Any = {"type": "tool_call", "id": "c-1", "name": tool.name, "args": {"what": what}}
    messages = [HumanMessage("hi", id="ask"), AIMessage("", id="call", tool_calls=[call])]
    given: Any = {"messages": messages, "mood": "calm", "pair": (0, 0), "visited": []}

    async def ainvoke() -> Any:
        try:
            return await graph_of(tool).ainvoke(given)
        finally:
            if isinstance(tool, RemoteTool):
                await tool.gateway.aclose()

    state: dict[str, Any] = graph_of(tool).invoke(given) if way == "sync" else asyncio.run(ainvoke())
    return state


@pytest.fixture
def remote(remote_tool: Any) -> Callable[..., RemoteTool]:
    """A sample as a proxy."""
    return lambda name, **fields: remote_tool(name, module="graph_samples", **fields)


@WAYS
@pytest.mark.parametrize("what", WHAT)
def test_the_graph_ends_in_the_same_state(way: str, what: str, remote: Any) -> None:
    here, there = run(way, samples.commands, what), run(way, remote("commands"), what)

    assert there == here
    if what == "update":
        assert (there["mood"], there["pair"], there["messages"][-1].artifact) == ("glad", (1, 2), b"\x00")
    if what in ("go", "send", "parent"):
        assert there["visited"]


@WAYS
@pytest.mark.parametrize("what", WHAT)
def test_the_very_same_is_returned(way: str, what: str, remote: Any) -> None:
    tool = remote("commands")
    call: Any = {"type": "tool_call", "id": "c-1", "name": "commands", "args": {"what": what}}

    async def ainvoke() -> Any:
        try:
            return await tool.ainvoke(call)
        finally:
            await tool.gateway.aclose()

    there = tool.invoke(call) if way == "sync" else asyncio.run(ainvoke())

    assert there == samples.commands.invoke(call)


def test_callers_that_are_no_graph_read_the_content(remote: Any, gateway: FakeGateway) -> None:
    tool = remote("commands")

    for what in ("update", "none", *([] if OLD else ["many"])):
        call = tool_pb2.ToolCall(tool_call_id="c-1", args_json=b'{"what": "%s"}' % what.encode())
        request = tool_pb2.ToolServiceCallRequest(call=call).SerializeToString()
        (answer,) = gateway.answers["/firebreak.v1.ToolService/Call"](request, _Context())  # type: ignore[arg-type]
        result = tool_pb2.ToolServiceCallResponse.FromString(answer).result
        assert [block.text for block in result.content] == [f"did {what}"]
    assert tool.response_format == "content_and_artifact"


class _Context:
    def invocation_metadata(self) -> list[Any]:
        return []

    def time_remaining(self) -> float:
        return 5.0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Command(update={"it": object()}), "update.it is a object, which cannot leave its process"),
        (Command(update={"it": samples.MoodModel(mood="x")}), "update.it is a MoodModel"),
        (Command(resume={1: 2}), "resume has a name that is no text"),
        ([1, ToolMessage("x", tool_call_id="c")], "the result is a int"),
        (Command(update={"it": float("nan")}), "update cannot be written as JSON"),
    ],
)
def test_what_would_come_back_otherwise_is_refused(value: Any, words: str) -> None:
    from firebreak_runtime.objects.outcome import result_of

    with pytest.raises(ServedError, match="does not fit the contract") as error:
        result_of(value, samples.commands, "c")
    assert error.value.reason == "CONTRACT_VIOLATED" and words in error.value.message


@pytest.mark.parametrize("more", [0, 1])
def test_what_goes_to_the_graph_is_bounded(more: int) -> None:
    from firebreak_runtime.objects.outcome import result_of

    around = result_of(Command(update={"it": "x" * 2_100_000}), samples.commands, "c").ByteSize() - 2_100_000
    command = Command(update={"it": "x" * (LIMIT - around + more)})
    if not more:
        assert result_of(command, samples.commands, "c").ByteSize() == LIMIT
        return
    with pytest.raises(ServedError) as error:
        result_of(command, samples.commands, "c")
    assert error.value.reason == "RESPONSE_TOO_LARGE"


def test_nodes_to_go_to_keep_their_shape() -> None:
    from firebreak_runtime.commands import from_graph_output, to_graph_output

    for goto in ("a", ["a", "b"], ("a",), Send("a", {"x": (1, 2)}), [Send("a", [HumanMessage("hi")]), "b"]):
        assert from_graph_output(to_graph_output(Command(goto=goto))) == Command(goto=goto)


@pytest.mark.parametrize(
    "output",
    [
        {"message_json": b"{}"},
        {"message_json": b'{"$firebreak": "message", "type": "human", "data": {"content": "x"}}'},
        {"command": {"goto_json": b"[1]"}},
        {"command": {"goto_json": b'{"arg": 1}'}},
        {"command": {"update_json": b'{"a": {"$firebreak": "pickle"}}'}},
        {"command": {"update_json": b"[" * 900 + b"]" * 900}},
    ],
)
def test_a_service_that_answers_otherwise_gave_no_answer(output: Any, remote: Any, gateway: FakeGateway) -> None:
    tool = remote("commands")
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, graph_outputs=[output])
    whole = tool_pb2.ToolServiceCallResponse(result=result).SerializeToString()
    gateway.answers["/firebreak.v1.ToolService/Call"] = lambda request, context: [whole]

    call = {"type": "tool_call", "id": "c-1", "name": "commands", "args": {"what": "go"}}

    assert tool.invoke(call).content == "the tool gave no usable answer."
