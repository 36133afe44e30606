"""Ordinary LangChain tools that want something of the graph that calls them: nothing here knows Firebreak."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Optional

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.messages import AnyMessage, BaseMessage, RemoveMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolCallId, tool
from pydantic import BaseModel
from typing_extensions import TypedDict

from tests.unit.runtime.frameworks import OLD, InjectedState

# The frameworks module has imported langgraph, which warns of its own imports on 0.6.
from langgraph.config import get_store, get_stream_writer  # isort: skip
from langgraph.prebuilt import InjectedStore  # isort: skip
from langgraph.store.base import BaseStore  # isort: skip
from langgraph.types import Command, Send  # isort: skip


class Mood(TypedDict):
    mood: str


class MoodModel(BaseModel):
    mood: str


@tool
def reads_field(word: str, mood: Annotated[str, InjectedState("mood")]) -> str:
    """Reads one field."""
    return f"{word} {mood}"


@tool
def reads_optional(word: str, wish: Annotated[Optional[str], InjectedState("wish")] = None) -> str:  # noqa: UP045 - read as it is
    """Reads a field that may be missing."""
    return f"{word} {wish}"


@tool
def reads_messages(word: str, messages: Annotated[list[AnyMessage], InjectedState("messages")]) -> str:
    """Reads the conversation."""
    return f"{word} " + ",".join(f"{type(message).__name__}:{message.id}" for message in messages)


@tool
def reads_whole(word: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
    """Reads the whole state."""
    kinds = [type(message).__name__ for message in state["messages"] if isinstance(message, BaseMessage)]
    return f"{word} {state['mood']} {sorted(state)} {kinds} {state['pair']!r}"


@tool
def reads_typed(word: str, state: Annotated[Mood, InjectedState]) -> str:
    """Reads what its type names of the state."""
    return f"{word} {state['mood']}"


@tool
def reads_model(word: str, state: Annotated[MoodModel, InjectedState]) -> str:
    """Reads the state as a model."""
    return f"{word} {state.mood}"


@tool
def remembers(word: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Reads and writes the agent's store."""
    found = store.get(("words",), "last")
    known = sorted(item.key for item in store.search(("words",), filter={"loud": True}))
    store.put(("words", "new"), word, {"n": 1})
    store.delete(("words",), "old")
    seen = sorted(item.key for item in store.search(("words",)))
    return (
        f"{found.value if found else None} {found and found.created_at.year} {known} {seen} {store.list_namespaces()}"
    )


@tool
async def remembers_later(word: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Reads and writes the agent's store on an event loop."""
    found = await store.aget(("words",), "last")
    await store.aput(("words",), word, {"n": 2})
    return f"{found.value if found else None}"


@tool
def remembers_and_fails(word: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Writes, then fails."""
    store.put(("words",), word, {"n": 1})
    raise RuntimeError("too late")


@tool
def asks_for_store(word: str) -> str:
    """Takes the store from its surroundings."""
    store = get_store()
    store.put(("words",), word, {"n": 3})
    found = store.get(("words",), "last")
    return f"{found.value if found else None}"


@tool
def reads_settings(word: str, config: RunnableConfig) -> str:
    """Reads the configuration."""
    configurable = config.get("configurable", {})
    return f"{word} {configurable.get('user')} {configurable.get('my_api_key')}"


@tool
def writes_stream(steps: int) -> str:
    """Writes to the stream of the graph, and reports an event."""
    writer = get_stream_writer()
    for step in range(steps):
        writer({"step": step})
    dispatch_custom_event("done", {"steps": steps})
    return "written"


@tool
async def writes_stream_later(steps: int) -> str:
    """Writes to the stream of the graph on an event loop, and reports an event."""
    writer = get_stream_writer()
    for step in range(steps):
        writer({"step": step})
    await adispatch_custom_event("done", {"steps": steps})
    return "written"


@tool
def runs_a_graph(word: str) -> str:
    """Runs a graph of its own, that writes to the stream."""
    from langgraph.graph import END, START, StateGraph

    def node(state: Mood) -> dict[str, Any]:
        get_stream_writer()("from within")
        return {"mood": state["mood"] + "!"}

    graph = StateGraph(Mood).add_node("node", node).add_edge(START, "node").add_edge("node", END).compile()
    return str(graph.invoke({"mood": word})["mood"])


@tool
def commands(
    what: Literal["update", "go", "send", "parent", "many", "remove", "none"],
    call_id: Annotated[str, InjectedToolCallId],
) -> Any:
    """Tells the graph what to do."""
    answer = ToolMessage(f"did {what}", tool_call_id=call_id, id="answer", artifact=b"\x00")
    if what == "update":
        return Command(update={"mood": "glad", "pair": (1, 2), "messages": [answer]})
    if what == "go":
        return Command(goto="after", update={"messages": [answer]})
    if what == "send":
        return Command(goto=[Send("after", {"mood": "sent"})], update={"messages": [answer]})
    if what == "parent":
        return Command(graph=Command.PARENT, goto=[Send("after", {"mood": "above"})])
    if what == "many":
        return [answer, Command(update={"mood": "many"})]
    if what == "remove":
        return Command(update={"messages": [RemoveMessage(id="ask"), answer]})
    return answer


if not OLD:
    from langgraph.prebuilt import ToolRuntime

    @tool
    def uses_runtime(word: str, runtime: ToolRuntime) -> str:
        """Uses everything that a runtime has."""
        runtime.stream_writer({"about": word})
        found = runtime.store.get(("words",), "last") if runtime.store else None
        user = runtime.config.get("configurable", {}).get("user")
        kinds = [type(message).__name__ for message in runtime.state["messages"]]
        return f"{word} {runtime.state['mood']} {kinds} {runtime.tool_call_id} {runtime.context} {user} {found and found.value}"

    @tool
    def uses_typed_runtime(word: str, runtime: ToolRuntime[MoodModel, Mood]) -> str:
        """Names the types of its runtime."""
        return f"{word} {sorted(runtime.state)} {runtime.context.mood}"
