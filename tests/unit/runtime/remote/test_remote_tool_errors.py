"""A tool that handles its errors says the same behind the gateway as in the agent's process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from firebreak_runtime.remote import RemoteTool, RemoteToolError
from langchain_core.messages import HumanMessage, ToolMessage

from tests.unit.runtime import failing_samples as samples
from tests.unit.runtime.frameworks import OLD, create_agent
from tests.unit.runtime.sample_models import Scripted

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
MODES = pytest.mark.parametrize("mode", ["sync", "async"])
BLOCKS = [] if OLD else ["by_blocks"]


def call_of(tool: Any, args: Any, way: str) -> ToolMessage:
    call = {"type": "tool_call", "id": "c-1", "name": tool.name, "args": args}

    async def ainvoke() -> Any:
        try:
            return await tool.ainvoke(call)
        finally:
            if isinstance(tool, RemoteTool):
                await tool.gateway.aclose()

    message = tool.invoke(call) if way == "sync" else asyncio.run(ainvoke())
    assert isinstance(message, ToolMessage)
    return message


@WAYS
@MODES
@pytest.mark.parametrize("how", ["told", "untold"])
@pytest.mark.parametrize("name", ["by_itself", "by_text", "by_function", "by_itself_later", *BLOCKS])
def test_what_a_tool_says_of_its_failure(way: str, mode: str, how: str, name: str, remote_tool: Any) -> None:
    here = call_of(getattr(samples, name), {"how": how}, way)
    there = call_of(remote_tool(name, module="failing_samples", mode=mode), {"how": how}, way)

    assert (there.content, there.status, there.name) == (here.content, here.status, here.name)
    assert here.status == "error"


@WAYS
@MODES
@pytest.mark.parametrize("name", ["arguments_by_itself", "arguments_by_text", "arguments_by_function"])
def test_what_a_tool_says_of_wrong_arguments(way: str, mode: str, name: str, remote_tool: Any) -> None:
    here = call_of(getattr(samples, name), {"how": []}, way)
    there = call_of(remote_tool(name, module="failing_samples", mode=mode), {"how": []}, way)

    assert (there.content, there.status) == (here.content, here.status)
    assert here.status == "error"


@WAYS
@pytest.mark.parametrize("how", ["told", "well"])
def test_a_message_of_the_tools_own_arrives_whole(way: str, how: str, remote_tool: Any) -> None:
    there = call_of(remote_tool("own_message", module="failing_samples"), {"how": how}, way)

    assert there == call_of(samples.own_message, {"how": how}, way)


@WAYS
def test_a_failure_that_is_raised_holds_the_blocks(way: str, remote_tool: Any) -> None:
    tool = remote_tool("by_blocks", module="failing_samples")
    tool.handle_tool_error = False

    with pytest.raises(RemoteToolError) as error:
        call_of(tool, {"how": "told"}, way)

    if not OLD:  # which takes blocks for a failure's text only from 1.0 on
        assert error.value.blocks == [{"type": "text", "text": "blocks: say please"}]
    assert (error.value.reason, str(error.value)) == ("TOOL_ERROR", "blocks: say please")


@WAYS
def test_a_tool_that_answers_for_the_agent_does_so(way: str, remote_tool: Any) -> None:
    tool = remote_tool("final", module="failing_samples")
    agent = create_agent(Scripted(), [tool])
    given: Any = {"messages": [HumanMessage("hi")]}

    async def ainvoke() -> Any:
        try:
            return await agent.ainvoke(given)
        finally:
            await tool.gateway.aclose()

    state = agent.invoke(given) if way == "sync" else asyncio.run(ainvoke())

    assert tool.return_direct
    assert (state["messages"][-1].type, state["messages"][-1].content) == ("tool", "final 5")
