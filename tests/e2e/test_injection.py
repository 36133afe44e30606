"""A tool behind a real gateway uses the state, the store and the stream of the agent that calls it, and commands its graph."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import pytest
from firebreak_runtime.remote import RemoteServices, connect_gateway
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore

from cli.gameday.processes import alive, outside
from tests.contract.runtime.host.running import until
from tests.e2e.instance import ROOT, Instance

NOTEBOOK = Path(__file__).parent / "services/notebook"


class State(MessagesState, total=False):
    noted: Annotated[list[str], operator.add]
    secret: str


@pytest.fixture(params=["assistant", "langchain-0.3"])
def instance(request: Any, start: Callable[..., Instance]) -> Instance:
    """The tool on each framework; the agent is on 1.x."""
    return start([NOTEBOOK], {"notebook": ROOT / ".firebreak/envs" / request.param})


@pytest.fixture
def services(instance: Instance) -> Iterator[RemoteServices]:
    connection = instance.connection()
    with connect_gateway(connection.address, token_file=connection.token_file) as services:
        yield services


def graph_of(tool: Any, store: Any) -> Any:
    shape: Any = StateGraph(State).add_node("tools", ToolNode([tool])).add_edge(START, "tools")
    return shape.add_edge("tools", END).compile(store=store)


def asking(note: str) -> Any:
    call: Any = {"type": "tool_call", "id": "c-1", "name": "notebook", "args": {"note": note}}
    return {"messages": [HumanMessage("remember"), AIMessage("", tool_calls=[call])], "noted": [], "secret": "hush"}


def test_state_store_stream_and_command_cross_the_gateway(services: RemoteServices) -> None:
    store = InMemoryStore()
    graph = graph_of(services.tool("notebook"), store)

    parts = list(graph.stream(asking("milk"), stream_mode=["custom", "values"]))
    again = graph.invoke(asking("tea"))

    state = parts[-1][1]
    assert [data["noting"] for mode, data in parts if mode == "custom"] == ["milk"]
    assert (state["noted"], state["messages"][-1].content) == (["milk"], "noted milk for 'remember' after nothing")
    assert again["messages"][-1].content == "noted tea for 'remember' after milk"
    assert [item.value for item in store.search(())] == [{"note": "tea"}]


async def test_leaving_in_the_midst_of_the_stream_kills_the_worker(
    instance: Instance, services: RemoteServices
) -> None:
    graph = graph_of(await services.atool("notebook"), InMemoryStore())

    async with aclosing(graph.astream(asking("for ever"), stream_mode="custom")) as stream:
        told = (await asyncio.wait_for(anext(stream), 30))["pid"]
        worker = outside(told, instance.pid("notebook"))
        assert worker is not None
        assert alive(worker)

    await until(lambda: not alive(worker))
    again = await graph.ainvoke(asking("milk"))
    assert again["noted"] == ["milk"]
    await services.aclose()
