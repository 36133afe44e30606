"""What a graph injects into a tool: a tool behind the gateway and the same tool in the agent's process see the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import orjson
import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.remote import RemoteTool
from firebreak_runtime.remote.injection import LIMIT
from firebreak_runtime.remote.store_copy import ITEMS
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from typing_extensions import TypedDict

from tests.unit.runtime import graph_samples as samples
from tests.unit.runtime.fake_gateway import FakeGateway
from tests.unit.runtime.frameworks import OLD, create_agent
from tests.unit.runtime.sample_models import Scripted

# The samples have imported langgraph, which warns of its own imports on 0.6.
from langgraph.graph import END, START, StateGraph  # isort: skip
from langgraph.graph.message import add_messages  # isort: skip
from langgraph.prebuilt import ToolNode  # isort: skip
from langgraph.store.memory import InMemoryStore  # isort: skip

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
NEW = [] if OLD else ["uses_runtime", "reads_optional"]
"""ToolRuntime, and fields that may be missing, came with LangGraph 1.0."""


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    mood: str
    pair: tuple[int, int]
    secret: str


class Ran(NamedTuple):
    answer: ToolMessage
    streamed: list[Any]
    state: dict[str, Any]


def start(tool: Any, args: dict[str, Any], **state: Any) -> dict[str, Any]:
    call = {"type": "tool_call", "id": "c-1", "name": tool.name, "args": args}
    messages = [HumanMessage("hi", id="ask"), AIMessage("", id="call", tool_calls=[call])]
    return {"messages": messages, "mood": "calm", "pair": (1, 2), "secret": "hush", **state}


def run(way: str, tool: Any, args: dict[str, Any], *, store: Any = None, context: Any = None, **state: Any) -> Ran:
    """Runs the tool in a graph of one node."""
    shape: Any = StateGraph(State, context_schema=type(context) if context is not None else None)
    graph = shape.add_node("tools", ToolNode([tool])).add_edge(START, "tools").add_edge("tools", END)
    compiled = graph.compile(store=store)
    given, config = start(tool, args, **state), {"configurable": {"user": "ann", "my_api_key": "sesame"}}
    options: dict[str, Any] = {
        "stream_mode": ["values", "custom"],
        **({"context": context} if context is not None else {}),
    }

    async def astream() -> list[Any]:
        try:
            return [part async for part in compiled.astream(given, config, **options)]
        finally:
            if isinstance(tool, RemoteTool):
                await tool.gateway.aclose()

    parts = list(compiled.stream(given, config, **options)) if way == "sync" else asyncio.run(astream())
    state = [data for mode, data in parts if mode == "values"][-1]
    answer = state["messages"][-1]
    assert isinstance(answer, ToolMessage)
    return Ran(answer, [data for mode, data in parts if mode == "custom"], state)


def sent(gateway: FakeGateway) -> Any:
    request = tool_pb2.ToolServiceCallRequest.FromString(gateway.seen[-1].request)
    return orjson.loads(request.call.injected_json or b"{}")


@pytest.fixture
def remote(remote_tool: Any) -> Callable[..., RemoteTool]:
    """A sample as a proxy."""
    return lambda name, **fields: remote_tool(name, module="graph_samples", **fields)


def filled_store() -> InMemoryStore:
    store = InMemoryStore()
    store.put(("words",), "last", {"text": "hello"})
    store.put(("words",), "old", {"loud": True})
    store.put(("words2",), "other", {"text": "not yours"})
    return store


def contents(store: Any) -> dict[Any, Any]:
    return {(item.namespace, item.key): item.value for item in store.search((), limit=99)}


READERS = [
    "reads_field",
    "reads_messages",
    "reads_whole",
    "reads_typed",
    "reads_settings",
    *NEW,
]


@WAYS
@pytest.mark.parametrize("name", READERS)
def test_a_remote_tool_reads_what_a_local_one_reads(way: str, name: str, remote: Any) -> None:
    here = run(way, getattr(samples, name), {"word": "so"})
    there = run(way, remote(name), {"word": "so"})

    assert here.answer.status == there.answer.status == "success"
    if name != "reads_settings":  # which a local tool gets with its secrets
        assert there.answer.content == here.answer.content
    else:
        assert there.answer.content == "so ann None"
    assert there.streamed == here.streamed


@pytest.mark.parametrize("name", READERS)
def test_a_model_is_offered_nothing_of_it(name: str, remote: Any) -> None:
    tool = remote(name)

    offered = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]

    assert set(offered) == {"word"} == set(tool.args)


@pytest.mark.parametrize(
    ("name", "leaves"),
    [
        ("reads_field", {"mood": "calm"}),
        ("reads_typed", {"state": {"mood": "calm"}}),
        *([] if OLD else [("reads_optional", {})]),
        ("reads_settings", {"config": {"user": "ann"}}),
    ],
)
def test_no_more_leaves_the_agent_than_the_tool_declares(
    name: str, leaves: Any, remote: Any, gateway: FakeGateway
) -> None:
    run("sync", remote(name), {"word": "so"})

    injected = sent(gateway)
    injected.get("config", {}).pop("thread_id", None)
    assert {name: _own(value) for name, value in injected.items()} == leaves


def _own(value: Any) -> Any:
    """Without what LangGraph itself puts into a configuration."""
    return {k: v for k, v in value.items() if not k.startswith("checkpoint")} if isinstance(value, dict) else value


def test_a_state_that_is_a_model_arrives_as_one(remote: Any) -> None:
    tool = remote("reads_model").with_injected(state={"mood": "set by hand"})

    assert run("sync", tool, {"word": "so"}).answer.content == "so set by hand"


@WAYS
def test_a_prebuilt_agent_injects_into_remote_tools(way: str, remote: Any) -> None:
    tool = remote("reads_messages")
    agent = create_agent(Scripted(), [tool])
    given: Any = {"messages": [HumanMessage("hi", id="ask")]}

    async def ainvoke() -> Any:
        try:
            return await agent.ainvoke(given)
        finally:
            await tool.gateway.aclose()

    state = agent.invoke(given) if way == "sync" else asyncio.run(ainvoke())

    kinds = [part.split(":")[0].split()[-1] for part in state["messages"][2].content.split(",")]
    assert kinds == ["HumanMessage", "AIMessage"]


@WAYS
@pytest.mark.parametrize("name", ["state", "mood"])
def test_a_model_cannot_fill_what_the_agent_injects(way: str, name: str, remote: Any, gateway: FakeGateway) -> None:
    tool = remote("reads_whole" if name == "state" else "reads_field")

    ran = run(way, tool, {"word": "so", name: "forged"})

    assert ran.answer.status == "error"
    assert f"args.{name}: the agent injects this argument" in str(ran.answer.content)


def test_names_under_which_a_graph_injects_are_each_proxys_own(remote: Any) -> None:
    names = [next(iter(remote("reads_field").get_input_schema().model_fields)) for _ in range(2)]

    assert names[0] != names[1]


def test_callbacks_are_not_shown_the_state(remote: Any) -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    class Handler(BaseCallbackHandler):
        def __init__(self) -> None:
            self.shown: list[Any] = []

        def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
            self.shown += [input_str, kwargs.get("inputs")]

    handler = Handler()
    tool = remote("reads_whole")
    tool.callbacks = [handler]
    run("sync", tool, {"word": "so"})

    assert handler.shown and "hush" not in repr(handler.shown)


def test_a_state_that_cannot_leave_is_named(remote: Any, gateway: FakeGateway) -> None:
    ran = run("sync", remote("reads_whole"), {"word": "so"}, secret=object())

    assert (ran.answer.status, ran.answer.content) == (
        "error",
        "state.secret is a object, which cannot leave its process",
    )


@pytest.mark.parametrize(("more", "status"), [(0, "success"), (1, "error")])
def test_what_is_injected_is_bounded(more: int, status: str, remote: Any) -> None:
    around = len(orjson.dumps({"mood": ""}))
    tool = remote("reads_field")

    ran = run("sync", tool, {"word": "so"}, mood="x" * (LIMIT - around + more))

    assert ran.answer.status == status
    if more:
        assert ran.answer.content == f"what the agent injects has {LIMIT + 1} bytes; at most {LIMIT} leave it"


@pytest.mark.parametrize(("way", "name"), [("sync", "remembers"), ("async", "remembers"), ("async", "remembers_later")])
def test_the_agents_store_is_read_and_written(way: str, name: str, remote: Any) -> None:
    stores = filled_store(), filled_store()

    here = run(way, getattr(samples, name), {"word": "so"}, store=stores[0])
    there = run(way, remote(name), {"word": "so"}, store=stores[1])

    assert there.answer.content == here.answer.content
    assert contents(stores[1]) == contents(stores[0]) != contents(filled_store())


@WAYS
def test_what_a_failing_tool_wrote_is_written(way: str, remote: Any) -> None:
    store = filled_store()

    ran = run(way, remote("remembers_and_fails"), {"word": "so"}, store=store)

    assert ran.answer.status == "error"
    assert contents(store)[("words",), "so"] == {"n": 1}


@WAYS
def test_a_service_may_name_what_of_the_store_it_uses(way: str, remote: Any, gateway: FakeGateway) -> None:
    store = filled_store()

    ran = run(way, remote("asks_for_store", store=("words",)), {"word": "so"}, store=store)

    assert ran.answer.content == "{'text': 'hello'}"
    assert {item["key"] for item in sent(gateway)["get_store()"]["items"]} == {"last", "old"}
    assert contents(store)[("words",), "so"] == {"n": 3}


def test_a_tool_reaches_nothing_of_the_store_beside_that(remote: Any) -> None:
    store = filled_store()

    ran = run("sync", remote("remembers", store=("words.deep",)), {"word": "so"}, store=store)

    assert (ran.answer.status, ran.answer.content) == ("error", "the tool failed: StoreUseError")
    assert contents(store) == contents(filled_store())


@pytest.mark.parametrize(
    "write",
    [
        {"namespace": ["elsewhere"], "key": "k", "value_json": b"{}"},
        {"namespace": [], "key": "k", "value_json": b"{}"},
        {"namespace": ["words"], "key": "k", "value_json": b"[]"},
        {"namespace": ["words"], "key": "k", "value_json": b"{"},
    ],
)
def test_a_service_that_writes_elsewhere_is_not_obeyed(write: Any, remote: Any, gateway: FakeGateway) -> None:
    store, tool = filled_store(), remote("remembers", store=("words",))
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=[{"text": "ok"}])
    result.store_writes.add(namespace=["words"], key="good", value_json=b"{}")
    result.store_writes.add(**write)
    answers(gateway, result)

    ran = run("sync", tool, {"word": "so"}, store=store)

    assert ran.answer.content == "the tool gave no usable answer."
    assert contents(store) == contents(filled_store())


@pytest.mark.parametrize(("items", "status"), [(ITEMS, "success"), (ITEMS + 1, "error")])
def test_the_copy_of_a_store_is_bounded(items: int, status: str, remote: Any) -> None:
    store = InMemoryStore()
    for n in range(items):
        store.put(("words",), str(n), {})

    ran = run("sync", remote("remembers"), {"word": "so"}, store=store)

    assert ran.answer.status == status
    if status == "error":
        assert "name fewer namespaces under store: in its service.yaml" in str(ran.answer.content)


@pytest.mark.parametrize(("items", "status"), [(ITEMS, "success"), (ITEMS + 1, "error")])
def test_what_comes_back_to_a_store_is_bounded(items: int, status: str, remote: Any, gateway: FakeGateway) -> None:
    store, tool = InMemoryStore(), remote("remembers")
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK)
    for n in range(items):
        result.store_writes.add(namespace=["words"], key=str(n), value_json=b"{}")
    answers(gateway, result)

    ran = run("sync", tool, {"word": "so"}, store=store)

    assert ran.answer.status == status
    assert len(store.search(("words",), limit=ITEMS + 1)) == (ITEMS if status == "success" else 0)


@WAYS
def test_a_store_that_fails_is_a_text_for_the_model(way: str, remote: Any) -> None:
    class Broken(InMemoryStore):
        def batch(self, ops: Any) -> Any:
            raise OSError("host db-7 is down")

        async def abatch(self, ops: Any) -> Any:
            raise OSError("host db-7 is down")

    ran = run(way, remote("remembers"), {"word": "so"}, store=Broken())

    assert (ran.answer.status, ran.answer.content) == ("error", "the agent's store failed: OSError")


def answers(gateway: FakeGateway, result: tool_pb2.ToolResult) -> None:
    """The service answers with this, called either way."""
    prefix = "/firebreak.v1.ToolService/"
    whole = tool_pb2.ToolServiceCallResponse(result=result).SerializeToString()
    last = tool_pb2.ToolServiceStreamResponse(seq=1, result=result).SerializeToString()
    gateway.answers[prefix + "Call"] = lambda request, context: [whole]
    gateway.answers[prefix + "Stream"] = lambda request, context: [last]


if not OLD:

    @WAYS
    def test_a_runtime_has_the_types_that_the_tool_names(way: str, remote: Any, gateway: FakeGateway) -> None:
        ran = run(way, remote("uses_typed_runtime"), {"word": "so"}, context=samples.MoodModel(mood="bright"))

        assert ran.answer.content == "so ['mood'] bright"
        assert set(sent(gateway)["runtime"]) == {"state", "context", "config"}

    @WAYS
    def test_a_runtime_has_a_store_where_the_service_names_one(way: str, remote: Any) -> None:
        told = run(way, remote("uses_runtime", store=("words",)), {"word": "so"}, store=filled_store())
        untold = run(way, remote("uses_runtime"), {"word": "so"}, store=filled_store())

        assert str(told.answer.content).endswith("{'text': 'hello'}")
        assert str(untold.answer.content).endswith("None")
