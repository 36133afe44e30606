"""What a served tool says that it wants injected, and what it makes of what an agent sends for it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.errors import ServedError

from tests.unit.runtime.fake_gateway import collect
from tests.unit.runtime.frameworks import OLD

STATE, STORE = tool_pb2.INJECTED_KIND_STATE, tool_pb2.INJECTED_KIND_STORE
RUNTIME, CONFIG = tool_pb2.INJECTED_KIND_RUNTIME, tool_pb2.INJECTED_KIND_CONFIG
COPY = {
    "namespaces": [["words"]],
    "items": [
        {
            "namespace": ["words"],
            "key": "last",
            "value": {"text": "hello"},
            "created": "2020-01-02T03:04:05+00:00",
            "updated": "2021-01-02T03:04:05+00:00",
        }
    ],
}


def spec_of(served: Any) -> tool_pb2.ToolSpec:
    return tool_pb2.ToolServiceDescribeResponse.FromString(served.describe()).spec


def wants(served: Any) -> list[dict[str, Any]]:
    return [
        {field.name: list(value) if hasattr(value, "append") else value for field, value in one.ListFields()}
        for one in spec_of(served).injected
    ]


def call(served: Any, injected: Any, args: Any = None) -> tool_pb2.ToolResult:
    made = tool_pb2.ToolCall(
        tool_call_id="c-1", args_json=orjson.dumps(args or {"word": "so"}), injected_json=orjson.dumps(injected)
    )
    (answer,) = collect(served, "Call", tool_pb2.ToolServiceCallRequest(call=made).SerializeToString())
    return tool_pb2.ToolServiceCallResponse.FromString(answer).result


@pytest.fixture
def graph_tool(serve: Any) -> Any:
    """A sample that wants something of a graph."""
    return lambda name, **fields: serve(name, "tool", module="graph_samples", **fields)


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("reads_field", {"name": "mood", "kind": STATE, "state_field": "mood"}),
        ("reads_optional", {"name": "wish", "kind": STATE, "state_field": "wish", "optional": True}),
        ("reads_whole", {"name": "state", "kind": STATE}),
        ("reads_typed", {"name": "state", "kind": STATE, "state_fields": ["mood"]}),
        ("reads_model", {"name": "state", "kind": STATE, "state_fields": ["mood"]}),
        ("remembers", {"name": "store", "kind": STORE, "store_namespaces": [""]}),
        ("reads_settings", {"name": "config", "kind": CONFIG}),
        *(
            []
            if OLD
            else [
                ("uses_runtime", {"name": "runtime", "kind": RUNTIME}),
                ("uses_typed_runtime", {"name": "runtime", "kind": RUNTIME, "state_fields": ["mood"]}),
            ]
        ),
    ],
)
def test_describe_lists_what_the_agent_injects(name: str, declared: Any, graph_tool: Any) -> None:
    assert wants(graph_tool(name)) == [declared]


@pytest.mark.parametrize("name", ["add", "add_later", "checked", "reserved", "classic", "with_call_id", "only_later"])
def test_an_ordinary_tool_wants_nothing(name: str, serve: Any) -> None:
    assert wants(serve(name, "tool")) == []


def test_a_service_names_the_namespaces_of_the_store(graph_tool: Any) -> None:
    named = {"kind": STORE, "store_namespaces": ["words", "users.ann"]}

    assert wants(graph_tool("remembers", store=("words", "users.ann"))) == [{"name": "store", **named}]
    assert wants(graph_tool("asks_for_store", store=("words", "users.ann"))) == [
        {"name": "get_store()", "optional": True, **named}
    ]
    assert wants(graph_tool("asks_for_store")) == []


def test_what_is_injected_is_no_argument_of_a_model(graph_tool: Any) -> None:
    for name in ("reads_field", "reads_whole", "remembers", "reads_settings"):
        served = graph_tool(name)
        for one in spec_of(served).injected:
            with pytest.raises(ServedError) as error:
                call(served, {}, {"word": "so", one.name: "forged"})
            assert error.value.fields[0][0] == f"args.{one.name}"


def test_messages_arrive_as_messages(graph_tool: Any) -> None:
    given = [
        {"$firebreak": "message", "type": "human", "data": {"content": "hi", "id": "a"}},
        {"$firebreak": "message", "type": "ai", "data": {"content": "ho", "id": "b"}},
    ]

    result = call(graph_tool("reads_messages"), {"messages": given})

    assert result.content[0].text == "so HumanMessage:a,AIMessage:b"


@pytest.mark.parametrize(
    ("name", "injected", "field"),
    [
        ("reads_field", {"mood": {"$firebreak": "pickle", "value": "x"}}, "injected.mood"),
        ("reads_messages", {"messages": [{"$firebreak": "message", "type": "shell", "data": {}}]}, "injected.messages"),
        ("reads_messages", {"messages": [{"$firebreak": "message", "type": "ai", "data": {}}]}, "injected.messages"),
        ("reads_field", {"mood": {"$firebreak": "bytes", "value": "???"}}, "injected.mood"),
        ("reads_model", {"state": {"mood": [1]}}, "injected.state"),
        ("reads_settings", {"config": []}, "injected.config"),
        ("reads_field", {"moods": 1}, "injected.moods"),
        ("remembers", {"store": {}}, "injected.store"),
        ("remembers", {"store": []}, "injected.store"),
        ("remembers", {"store": {"namespaces": [[]], "items": [{"namespace": ["a"]}]}}, "injected.store"),
        *(
            []
            if OLD
            else [
                ("uses_runtime", {"runtime": {"tools": []}}, "injected.runtime"),
                ("uses_runtime", {"runtime": []}, "injected.runtime"),
                ("uses_runtime", {"runtime": {"config": 1}}, "injected.runtime.config"),
                ("uses_runtime", {"runtime": {"store": {}}}, "injected.runtime"),
                ("uses_typed_runtime", {"runtime": {"context": {"mod": 1}}}, "injected.runtime"),
            ]
        ),
    ],
)
def test_what_cannot_be_injected_is_named(name: str, injected: Any, field: str, graph_tool: Any) -> None:
    with pytest.raises(ServedError) as error:
        call(graph_tool(name), injected)

    assert error.value.reason == "ARGUMENTS_INVALID"
    assert [name for name, _ in error.value.fields] == [field]


def test_a_caller_cannot_reach_into_langgraph(graph_tool: Any) -> None:
    result = call(graph_tool("reads_settings"), {"config": {"__pregel_runtime": "x", "user": "ann"}})

    assert result.content[0].text == "so ann None"


def test_without_a_store_the_tool_is_told(graph_tool: Any) -> None:
    result = call(graph_tool("remembers"), {})

    assert (result.status, result.error_message) == (tool_pb2.TOOL_STATUS_INVALID_ARGS, "args.store: Field required")


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_copy_answers_and_keeps_what_is_written(mode: str, graph_tool: Any) -> None:
    result = call(graph_tool("asks_for_store", store=("words",), mode=mode), {"get_store()": COPY})

    assert result.content[0].text == "{'text': 'hello'}"
    (write,) = result.store_writes
    assert (list(write.namespace), write.key, write.value_json) == (["words"], "so", b'{"n":3}')


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("name", ["writes_stream", "writes_stream_later"])
def test_the_streams_writer_and_events_are_progress_in_order(name: str, mode: str, graph_tool: Any) -> None:
    made = tool_pb2.ToolCall(tool_call_id="c-1", args_json=b'{"steps": 2}')
    request = tool_pb2.ToolServiceStreamRequest(call=made).SerializeToString()

    messages = collect(graph_tool(name, mode=mode), "Stream", request)

    events = [tool_pb2.ToolServiceStreamResponse.FromString(message) for message in messages]
    told = [(event.progress.name, orjson.loads(event.progress.data_json)) for event in events[:-1]]
    assert told == [("", {"step": 0}), ("", {"step": 1}), ("done", {"name": "done", "data": {"steps": 2}})]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert events[-1].result.content[0].text == "written"
