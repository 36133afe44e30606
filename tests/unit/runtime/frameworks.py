"""The agents that the installed framework can build: create_agent from 1.0 on, AgentExecutor before it, and a graph in both."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from langchain_core.tools import tool

OLD = version("langchain").startswith("0.")

with warnings.catch_warnings():
    # Langgraph 0.6 is warned of by its own import of langchain-core.
    warnings.simplefilter("ignore")
    if OLD:
        from langchain.agents import AgentExecutor, create_tool_calling_agent
        from langgraph.prebuilt import create_react_agent as create_agent
    else:
        from langchain.agents import create_agent
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import InjectedState


def graph(model: Any, tools: list[Any]) -> Any:
    """A graph that calls tools."""
    return create_agent(model, tools)


def executor(model: Any, tools: list[Any]) -> Any:
    """A classic executor."""
    from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("chat_history"), ("human", "{input}"), MessagesPlaceholder("agent_scratchpad")]
    )
    return AgentExecutor(agent=create_tool_calling_agent(model, tools, prompt), tools=tools)


def chain(model: Any, tools: list[Any]) -> Any:
    """A model, then nothing: a Runnable that is neither."""
    from langchain_core.output_parsers import StrOutputParser

    return model | StrOutputParser()


BUILDERS: dict[str, Callable[[Any, list[Any]], Any]] = {"graph": graph, **({"executor": executor} if OLD else {})}
"""Builders of agents that call tools."""


class Counted(MessagesState):
    count: int


def endless_node(state: Counted) -> dict[str, Any]:
    return {"count": state.get("count", 0) + 1}


def counting_graph() -> Any:
    """A graph of its own shape: a node that adds to the state and a message, given a start in the state."""
    from langchain_core.messages import AIMessage

    def node(state: Counted) -> dict[str, Any]:
        return {"count": state["count"] + 1, "messages": [AIMessage("counted", id="m-1")]}

    return StateGraph(Counted).add_node("node", node).add_edge(START, "node").add_edge("node", END).compile()


def endless_graph() -> Any:
    """A graph that never ends."""
    return StateGraph(Counted).add_node("node", endless_node).add_edge(START, "node").add_edge("node", "node").compile()


@tool
def reads_state(word: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
    """Reads the agent's state."""
    return f"{word} {state['mood']}"


if not OLD:
    from langgraph.prebuilt import ToolRuntime

    @tool
    def reads_runtime(word: str, runtime: ToolRuntime[str, dict[str, Any]]) -> str:
        """Reads the agent's state and reports through it."""
        runtime.stream_writer({"about": word})
        return f"{word} {runtime.state['mood']} in {runtime.tool_call_id} for {runtime.context}"


def text_executor(model: Any, tools: list[Any]) -> Any:
    """A classic executor whose model asks for tools in text."""
    from langchain.agents import create_react_agent
    from langchain_core.prompts import PromptTemplate

    prompt = PromptTemplate.from_template("{tools} {tool_names} {input} {agent_scratchpad}")
    return AgentExecutor(agent=create_react_agent(model, tools, prompt), tools=tools)


counting, endless = counting_graph(), endless_graph()
