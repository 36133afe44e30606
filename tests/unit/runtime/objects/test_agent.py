"""Any agent, unmodified, behind AgentService: its events, its answer, its errors."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import pytest
from firebreak.v1 import agent_pb2, payload_pb2
from firebreak_runtime.errors import LoadError, ServedError
from firebreak_runtime.objects.agent import ServedAgent
from firebreak_runtime.objects.drivers import driver_for
from langchain_core.messages import AIMessage, HumanMessage

from tests.unit.runtime import frameworks, samples
from tests.unit.runtime.fake_gateway import collect


def asked(*texts: str, state: bytes = b"") -> agent_pb2.AgentInput:
    roles = [payload_pb2.ROLE_USER, payload_pb2.ROLE_ASSISTANT]
    messages = [
        payload_pb2.Message(role=roles[n % 2], content=[payload_pb2.ContentBlock(text=text)])
        for n, text in enumerate(texts)
    ]
    return agent_pb2.AgentInput(target="it", messages=messages, state_json=state)


def typed(state: bytes) -> agent_pb2.AgentInput:
    given = asked("a", state=state)
    given.typed_state = True
    return given


def invoke(served: Any, given: agent_pb2.AgentInput) -> agent_pb2.RunFinished:
    (message,) = collect(served, "Invoke", agent_pb2.AgentServiceInvokeRequest(input=given).SerializeToString())
    return agent_pb2.AgentServiceInvokeResponse.FromString(message).result


def run(served: Any, given: agent_pb2.AgentInput) -> list[agent_pb2.AgentServiceRunResponse]:
    messages = collect(served, "Run", agent_pb2.AgentServiceRunRequest(input=given).SerializeToString())
    return [agent_pb2.AgentServiceRunResponse.FromString(message) for message in messages]


def kinds(events: list[agent_pb2.AgentServiceRunResponse]) -> list[str]:
    return [str(event.WhichOneof("event")) for event in events]


@pytest.fixture
def agent(serve: Any) -> Any:
    """A built agent with a local model and local tools, without a gateway."""

    def make(
        builder: str, model: Any = samples.scripted_later, tools: Any = (samples.add_later,), **fields: Any
    ) -> ServedAgent:
        served = serve(builder, "agent", module="frameworks", **fields)
        served._driver = driver_for(getattr(frameworks, builder)(model, list(tools)))
        return served

    return make


@pytest.mark.parametrize("builder", frameworks.BUILDERS)
def test_the_answer_and_every_message_that_led_to_it(agent: Any, builder: str) -> None:
    result = invoke(agent(builder), asked("what is 5 and 3?"))

    assert result.message.content[0].text == "I read 8"
    assert [message.role for message in result.messages] == [
        payload_pb2.ROLE_ASSISTANT,
        payload_pb2.ROLE_TOOL,
        payload_pb2.ROLE_ASSISTANT,
    ]
    assert result.messages[1].tool_call_id == result.messages[0].tool_requests[0].id == "call-1"


@pytest.mark.parametrize("builder", frameworks.BUILDERS)
def test_the_events_of_a_run(agent: Any, builder: str) -> None:
    events = run(agent(builder), asked("what is 5 and 3?"))

    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    told = [kind for kind in kinds(events) if kind not in ("state_updated", "content_delta")]
    assert told == [
        "message_started",
        "message_finished",
        "tool_started",
        "tool_finished",
        "message_started",
        "message_finished",
        "run_finished",
    ]
    assert "".join(event.content_delta.text for event in events) == "I read 8"
    assert kinds(events).count("content_delta") > 1
    assert kinds(events)[-1] == "run_finished"


@pytest.mark.parametrize("builder", frameworks.BUILDERS)
def test_a_tool_call_is_told_with_its_arguments_and_its_answer(agent: Any, builder: str) -> None:
    events = run(agent(builder), asked("what is 5 and 3?"))

    (started,) = [event.tool_started for event in events if event.HasField("tool_started")]
    (finished,) = [event.tool_finished for event in events if event.HasField("tool_finished")]
    assert (started.tool_call_id, started.name, orjson.loads(started.args_json)) == ("call-1", "add_later", {"a": 5})
    assert (finished.tool_call_id, finished.name) == ("call-1", "add_later")
    assert finished.message.content[0].text == "8" and not finished.message.tool_failed


@pytest.mark.parametrize("builder", frameworks.BUILDERS)
def test_run_and_invoke_finish_alike(agent: Any, builder: str) -> None:
    invoked, finished = invoke(agent(builder), asked("hi")), run(agent(builder), asked("hi"))[-1].run_finished

    for result in (invoked, finished):
        for message in (result.message, *result.messages):
            message.ClearField("id")
            message.ClearField("metadata_json")
    assert finished.message == invoked.message
    assert [m.content for m in finished.messages] == [m.content for m in invoked.messages]
    assert finished.usage.total_tokens == 10


@pytest.mark.parametrize("builder", frameworks.BUILDERS)
def test_what_was_said_before_comes_first(agent: Any, builder: str) -> None:
    samples.scripted_later.seen.clear()

    result = invoke(agent(builder, tools=[samples.add_later]), asked("one", "two", "three"))

    first = samples.scripted_later.seen[0]["messages"]
    assert [message.content for message in first] == ["one", "two", "three"]
    assert len(result.messages) == 3


def test_a_graphs_state_goes_in_and_comes_back(serve: Any) -> None:
    served = serve("counting", "agent", module="frameworks")

    events = run(served, asked("go", state=b'{"count": 41}'))

    (update,) = [event.state_updated for event in events if event.HasField("state_updated")]
    assert (update.node, orjson.loads(update.update_json)) == ("node", {"count": 42})
    assert orjson.loads(events[-1].run_finished.state_json) == {"count": 42}
    assert events[-1].run_finished.message.content[0].text == "counted"


NOTES = b'{"notes": [{"$firebreak": "tuple", "value": ["a"]}]}'
MINE = {"$firebreak": "mine"}


@pytest.mark.parametrize(
    ("given", "added"),
    [(asked("a", state=NOTES), MINE), (typed(NOTES), {"$firebreak": "object", "value": MINE})],
)
def test_state_is_plain_json_unless_it_is_asked_for_otherwise(serve: Any, given: Any, added: Any) -> None:
    result = invoke(serve("noting", "agent", module="agents"), given)

    assert orjson.loads(result.state_json)["notes"] == [*orjson.loads(NOTES)["notes"], added]


def test_a_graph_that_never_ends_is_stopped_with_words(serve: Any) -> None:
    with pytest.raises(ServedError) as error:
        invoke(serve("endless", "agent", module="frameworks"), asked("go"))

    assert error.value.reason == "AGENT_FAILED"
    assert "too many steps" in error.value.message


def test_a_plain_runnable_is_an_agent(serve: Any) -> None:
    served = serve("echo", "agent")

    assert invoke(served, asked("a", "b", "c")).message.content[0].text == "c after 2"
    assert kinds(run(served, asked("c"))) == ["run_finished"]


def test_a_chain_that_begins_with_a_model_gets_the_messages(agent: Any) -> None:
    served = agent("chain")

    events = run(served, asked("hi"))

    assert events[-1].run_finished.message.content[0].text == "I read hi"
    assert "".join(event.content_delta.text for event in events) == "I read hi"
    assert kinds(events).count("message_finished") == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (asked(), "input.messages"),
        (asked(state=b'{"mood": "good"}'), "input.messages"),
        (asked("a", state=b"{"), "input.state"),
        (typed(b'{"mood": {"$firebreak": "gun"}}'), "input.state"),
        (asked("a", state=b'{"messages": []}'), "input.state.messages"),
        (agent_pb2.AgentInput(messages=[payload_pb2.Message()]), "input.messages[0]"),
    ],
)
def test_wrong_input_is_refused_by_field(serve: Any, given: agent_pb2.AgentInput, field: str) -> None:
    with pytest.raises(ServedError) as error:
        invoke(serve("echo", "agent"), given)

    assert error.value.reason == "ARGUMENTS_INVALID"
    assert [name for name, _ in error.value.fields] == [field]


@pytest.mark.parametrize("builder", frameworks.BUILDERS)
def test_what_an_agent_raises_passes_to_the_worker(agent: Any, builder: str) -> None:
    with pytest.raises(RuntimeError):
        run(agent(builder, model=samples.broken), asked("hi"))


def test_describe_names_what_it_uses(serve: Any) -> None:
    used = {"uses_tools": ("add",), "uses_models": ("router", "other")}
    served = serve("graph", "agent", module="frameworks", **used)

    spec = agent_pb2.AgentServiceDescribeResponse.FromString(served.describe()).spec

    assert (spec.name, list(spec.tools), spec.model, list(spec.models)) == (
        "graph",
        ["add"],
        "router",
        ["router", "other"],
    )
    assert spec.description == "A graph that calls tools."
    assert served.mode == "async"


def test_a_description_is_the_first_paragraph(serve: Any) -> None:
    served = serve("build_from_model", "agent")

    assert (
        agent_pb2.AgentServiceDescribeResponse.FromString(served.describe()).spec.description
        == "An agent that is a model."
    )


@pytest.mark.parametrize("builder", frameworks.BUILDERS)
def test_the_dummy_pass_builds_and_runs_without_a_thread_left(serve: Any, builder: str, caplog: Any) -> None:
    before = threading.active_count()

    with caplog.at_level("DEBUG", "firebreak_runtime"):
        serve(builder, "agent", module="frameworks", uses_tools=("add-it",), uses_models=("router",)).warm()

    assert threading.active_count() == before
    assert "dummy pass failed" not in caplog.text


async def test_a_function_that_builds_no_agent_is_refused(serve: Any, worker_env: Any) -> None:
    served = serve("build_nothing", "agent")

    with pytest.raises(LoadError, match="returned a str"):
        await served.start(worker_env(served))


def test_a_call_before_the_start_is_refused(serve: Any) -> None:
    with pytest.raises(ServedError) as error:
        invoke(serve("build_from_model", "agent"), asked("hi"))
    assert error.value.reason == "TARGET_NOT_READY"


def test_a_sync_worker_runs_an_agent_too(agent: Any) -> None:
    served = agent("graph", mode="sync")

    assert served.mode == "sync"
    assert invoke(served, asked("hi")).message.content[0].text == "I read 8"


async def test_hidden_model_calls_are_finished_with_their_node(serve: Any) -> None:
    def node(state: dict[str, Any]) -> dict[str, Any]:
        samples.scripted.invoke([HumanMessage("a secret summary")])
        return {"messages": [AIMessage("done", id="m-1")]}

    from langgraph.graph import END, START, MessagesState, StateGraph

    served = serve("build_from_model", "agent")
    served._driver = driver_for(
        StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").add_edge("node", END).compile()
    )
    messages: list[bytes] = []

    async def emit(message: bytes) -> None:
        messages.append(message)

    await served.acall("Run", agent_pb2.AgentServiceRunRequest(input=asked("hi")).SerializeToString(), emit)

    events = [agent_pb2.AgentServiceRunResponse.FromString(message) for message in messages]
    started = {event.message_started.message_id for event in events if event.HasField("message_started")}
    finished = {event.message_finished.message.id for event in events if event.HasField("message_finished")}
    assert len(started) == 2 and finished == started
    assert [message.id for message in events[-1].run_finished.messages] == ["m-1"]
