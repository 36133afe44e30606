"""The agent: a model that may call tools until it has an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph

MAX_TURNS = 8
"""How often the model may be asked for one answer, so that one that never stops calling tools is stopped."""

INSTRUCTIONS = (
    "You are an assistant of the shop Larkspur & Finch. Use the tools that you were given: work out numbers, look up what the "
    "handbook says, run code. Say where an answer comes from. If a tool fails or may not be used, say so; never make up "
    "what it would have answered."
)


def build(model: BaseChatModel, tools: Sequence[BaseTool]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The agent with this model and these tools."""
    limit = ModelCallLimitMiddleware(run_limit=MAX_TURNS, exit_behavior="end")
    return create_agent(model, list(tools), system_prompt=INSTRUCTIONS, middleware=[limit], name="assistant")
