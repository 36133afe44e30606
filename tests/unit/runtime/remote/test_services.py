"""The front door for ordinary programs: proxies by name, with a token of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from firebreak.v1 import catalog_pb2, embedding_pb2, model_pb2, retriever_pb2, tool_pb2
from firebreak_runtime.remote import (
    RemoteAgent,
    RemoteChatModel,
    RemoteEmbeddings,
    RemoteError,
    RemoteRetriever,
    RemoteServices,
    RemoteTool,
    connect_gateway,
)

from tests.unit.runtime.fake_gateway import FakeGateway

LIST = "/firebreak.v1.CatalogService/List"


@pytest.fixture
def everything(serve: Any) -> None:
    """One service of each kind."""
    for name, kind in (
        ("add", "tool"),
        ("scripted", "model"),
        ("echo", "agent"),
        ("words", "retriever"),
        ("lengths", "embedding"),
    ):
        serve(name, kind)


def catalogue(gateway: FakeGateway) -> None:
    targets = [{"name": "add", "ready": True}, {"name": "later"}]
    answer = catalog_pb2.CatalogServiceListResponse(targets=targets)
    gateway.answers[LIST] = lambda request, context: [answer.SerializeToString()]


def connected(gateway: FakeGateway) -> RemoteServices:
    return connect_gateway(gateway.address, token_file=gateway.token_file)


def test_every_kind_by_its_name(everything: None, gateway: FakeGateway) -> None:
    with connected(gateway) as services:
        tool, model, agent = services.tool("add"), services.chat_model("scripted"), services.agent("echo")
        retriever, embeddings = services.retriever("words"), services.embeddings("lengths")

        assert isinstance(tool, RemoteTool) and tool.invoke({"a": 1}) == "4"
        assert isinstance(model, RemoteChatModel) and model.invoke("hi").content == "I read hi"
        assert isinstance(agent, RemoteAgent) and agent.invoke("hi")["messages"][-1].content == "hi after 0"
        assert isinstance(retriever, RemoteRetriever) and len(retriever.invoke("q")) == 2
        assert isinstance(embeddings, RemoteEmbeddings) and embeddings.embed_query("ab") == [2.0, 1.0]
        assert agent.name == "echo" and agent.description.startswith("Ordinary LangChain objects")


async def test_the_same_on_an_event_loop(everything: None, gateway: FakeGateway) -> None:
    async with connected(gateway) as services:
        tool, model, agent = (
            await services.atool("add"),
            await services.achat_model("scripted"),
            await services.aagent("echo"),
        )
        retriever, embeddings = await services.aretriever("words"), await services.aembeddings("lengths")

        assert await tool.ainvoke({"a": 1}) == "4"
        assert (await model.ainvoke("hi")).content == "I read hi"
        assert (await agent.ainvoke("hi"))["messages"][-1].content == "hi after 0"
        assert len(await retriever.ainvoke("q")) == 2
        assert await embeddings.aembed_query("ab") == [2.0, 1.0]


async def test_the_tools_of_the_catalogue_that_are_ready(everything: None, gateway: FakeGateway) -> None:
    catalogue(gateway)

    async with connected(gateway) as services:
        assert [tool.name for tool in services.tools()] == ["add"]
        assert [tool.name for tool in await services.atools()] == ["add"]

    asked = [catalog_pb2.CatalogServiceListRequest.FromString(s.request) for s in gateway.seen if s.method == LIST]
    assert [request.kind for request in asked] == [catalog_pb2.TARGET_KIND_TOOL] * 2


async def test_models_in_order(everything: None, gateway: FakeGateway) -> None:
    async with connected(gateway) as services:
        for model in (services.chat_model("a", "b"), await services.achat_model("a", "b")):
            assert [one.target for one in (model, *model.fallbacks)] == ["a", "b"]


def test_what_may_not_be_used_is_raised(everything: None, gateway: FakeGateway) -> None:
    gateway.fail("/firebreak.v1.ToolService/Describe", "POLICY_DENIED")
    gateway.fail(LIST, "CREDENTIALS_INVALID")

    with connected(gateway) as services:
        with pytest.raises(RemoteError, match="add: POLICY_DENIED"):
            services.tool("add")
        with pytest.raises(RemoteError, match="the catalogue: CREDENTIALS_INVALID"):
            services.tools()


def test_a_description_that_is_no_json_is_raised(gateway: FakeGateway) -> None:
    answer = tool_pb2.ToolServiceDescribeResponse(spec=tool_pb2.ToolSpec(name="add", input_schema_json=b"{"))
    gateway.answers["/firebreak.v1.ToolService/Describe"] = lambda request, context: [answer.SerializeToString()]

    with connected(gateway) as services, pytest.raises(RemoteError, match="add: CONTRACT_VIOLATED"):
        services.tool("add")


def sent_token(gateway: FakeGateway) -> str | None:
    return gateway.seen[-1].metadata.get("authorization")


def test_a_token_of_the_programs_own(everything: None, gateway: FakeGateway) -> None:
    with connect_gateway(gateway.address, token="mine") as services:
        services.tool("add")
    assert sent_token(gateway) == "Bearer mine"


def test_without_a_token_none_is_sent(everything: None, gateway: FakeGateway) -> None:
    with connect_gateway(gateway.address) as services:
        services.tool("add")
    assert sent_token(gateway) is None


def test_two_tokens_are_refused(gateway: FakeGateway) -> None:
    with pytest.raises(ValueError, match="not both"):
        connect_gateway(gateway.address, token="mine", token_file=gateway.token_file)


@pytest.fixture
def running(tmp_path: Path, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder that `make run` leaves behind."""
    state = tmp_path / "state"
    (state / "identity/tokens").mkdir(parents=True)
    (state / "identity/tokens/developer.token").write_text("developer\n")
    (state / "run").mkdir()
    (state / "run/addresses.json").write_text(json.dumps({"public": gateway.address}))
    monkeypatch.setenv("FIREBREAK_STATE", str(state))
    return state


def test_without_an_address_it_is_the_gateway_of_make_run(
    everything: None, gateway: FakeGateway, running: Path
) -> None:
    with connect_gateway() as services:
        services.tool("add")
    assert sent_token(gateway) == "Bearer developer"

    with connect_gateway(token="mine") as services:
        services.tool("add")
    assert sent_token(gateway) == "Bearer mine"


def test_without_an_address_and_without_make_run_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIREBREAK_STATE", raising=False)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FileNotFoundError, match="make run"):
        connect_gateway()


def test_the_proxies_fit_their_requests(everything: None, gateway: FakeGateway) -> None:
    """Each kind's Describe names the service."""
    with connected(gateway) as services:
        services.chat_model("scripted")
        services.retriever("words")
        services.embeddings("lengths")

    kinds: list[Any] = [
        model_pb2.ModelServiceDescribeRequest,
        retriever_pb2.RetrieverServiceDescribeRequest,
        embedding_pb2.EmbeddingServiceDescribeRequest,
    ]
    named = [kind.FromString(seen.request).target for kind, seen in zip(kinds, gateway.seen, strict=True)]
    assert named == ["scripted", "words", "lengths"]
