"""An ordinary LangChain program, outside of every service, uses what runs behind a real gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from firebreak_runtime.remote import RemoteError, RemoteServices, connect_gateway
from langchain_core.messages import AIMessageChunk

from tests.e2e.instance import ROOT, Instance

QUESTION = "What is 1234 * 5678?"

SAID = [
    r"tool: 7006652",
    r"tools: .*calculator.*handbook.*",
    r"agent: .*7006652.*",
    r"streamed: calculator",
    r"own: .*7006652.*",
    r"refused: TARGET_UNKNOWN",
]
"""What the page's program prints, a pattern a line."""


@pytest.fixture
def services(shipped: Instance) -> Iterator[RemoteServices]:
    connection = shipped.connection()
    with connect_gateway(connection.address, token_file=connection.token_file) as services:
        yield services


def test_the_pages_program_says_what_it_should(shipped: Instance) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/langchain.md").read_text(), re.DOTALL)

    done = shipped.python(program)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(SAID)
    for line, pattern in zip(lines, SAID, strict=True):
        assert re.fullmatch(pattern, line), line


@pytest.mark.parametrize("name", ["assistant", "assistant-classic"])
def test_an_agent_on_either_framework(name: str, services: RemoteServices) -> None:
    agent = services.agent(name)

    answer = agent.invoke(QUESTION)
    streamed = list(agent.stream(QUESTION, stream_mode=["messages", "updates", "values"]))

    assert [message.type for message in answer["messages"]] == ["human", "ai", "tool", "ai"]
    assert "7006652" in answer["messages"][-1].content
    states = [data for mode, data in streamed if mode == "values"]
    assert [m.content for m in states[-1]["messages"]] == [m.content for m in answer["messages"]]
    updated = [part for mode, data in streamed if mode == "updates" for part in data.values() if part]
    assert [m.type for part in updated for m in part.get("messages", [])] == ["ai", "tool", "ai"]
    tokens = [data[0] for mode, data in streamed if mode == "messages"]
    assert any(isinstance(token, AIMessageChunk) and token.content for token in tokens)


async def test_the_same_on_an_event_loop_by_mtls(shipped: Instance) -> None:
    connection = shipped.mtls_connection()

    async with connect_gateway(connection.address, tls=connection.tls) as services:
        model, agent = await services.achat_model("router"), await services.aagent("assistant")
        assert (await model.ainvoke("hello")).content
        assert "7006652" in (await agent.ainvoke(QUESTION))["messages"][-1].content


def test_a_model_that_is_not_there_is_passed_over(services: RemoteServices) -> None:
    router = services.chat_model("router")
    away = router.model_copy(update={"target": "router", "timeout": 0.0001})

    answer = type(router).in_order([away, router]).invoke("hello")

    assert answer.response_metadata["firebreak_target"] == "router"


def test_a_service_of_another_kind_is_none(services: RemoteServices) -> None:
    with pytest.raises(RemoteError) as error:
        services.agent("calculator")

    assert error.value.reason == "TARGET_UNKNOWN"
