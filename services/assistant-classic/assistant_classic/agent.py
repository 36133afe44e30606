"""The agent: a model that may call tools until it has an answer."""

from __future__ import annotations

from collections.abc import Sequence

from langchain.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.tools import BaseTool

MAX_TURNS = 8
"""How often tools may be called for one answer, so that a model that never stops calling them is stopped."""

INSTRUCTIONS = (
    "You are an assistant of the shop Larkspur & Finch. Use the tools that you were given: work out numbers, look up what the "
    "handbook says, run code. Say where an answer comes from. If a tool fails or may not be used, say so; never make up "
    "what it would have answered."
)


def build(model: BaseChatModel, tools: Sequence[BaseTool]) -> AgentExecutor:
    """The agent with this model and these tools."""
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", INSTRUCTIONS),
            MessagesPlaceholder("chat_history", optional=True),
            ("human", "{input}"),
            MessagesPlaceholder("agent_scratchpad"),
        ]
    )
    agent = create_tool_calling_agent(model, list(tools), prompt)
    return AgentExecutor(
        agent=agent,
        tools=list(tools),
        max_iterations=MAX_TURNS,
        handle_parsing_errors=True,
        return_intermediate_steps=True,
        name="assistant-classic",
    )
