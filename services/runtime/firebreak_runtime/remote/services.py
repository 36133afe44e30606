"""The front door for programs that are no services themselves: what is behind a gateway, as LangChain objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from firebreak.v1 import catalog_pb2

from firebreak_runtime.json_values import JsonError
from firebreak_runtime.remote import remote_agent, remote_embeddings, remote_model, remote_retriever, remote_tool
from firebreak_runtime.remote.failures import Failure, RemoteError
from firebreak_runtime.remote.gateway import Gateway, Rpc
from firebreak_runtime.remote.remote_agent import RemoteAgent
from firebreak_runtime.remote.remote_embeddings import RemoteEmbeddings
from firebreak_runtime.remote.remote_model import RemoteChatModel
from firebreak_runtime.remote.remote_retriever import RemoteRetriever
from firebreak_runtime.remote.remote_tool import RemoteTool
from firebreak_runtime.remote.token import FixedToken, Token

if TYPE_CHECKING:
    from firebreak.client import Tls

LIST = Rpc("/firebreak.v1.CatalogService/List", catalog_pb2.CatalogServiceListResponse)

_CATALOGUE = "the catalogue"
_TIMEOUT = 10.0
_TOOLS = catalog_pb2.CatalogServiceListRequest(kind=catalog_pb2.TARGET_KIND_TOOL)

P = TypeVar("P")


def connect_gateway(
    address: str | None = None, *, token_file: Path | None = None, token: str | None = None, tls: Tls | None = None
) -> RemoteServices:
    """The services behind the gateway at `address` ("host:port" or "unix:path"), called as whoever the token says.

    `token_file` is read again when it changes. Without `address` it is the gateway that `make run` started, with its
    developer's token unless another is given. Without `tls` a connection is plain on loopback and unix sockets only; anywhere
    else it is TLS with the certificates that this machine trusts. Nothing is called yet. Raises FileNotFoundError where there
    is no gateway of `make run`, ValueError for two tokens.
    """
    if token is not None and token_file is not None:
        raise ValueError("give token or token_file, not both")
    if address is None:
        from firebreak.client import Connection

        local = Connection.local()
        address = local.address
        token_file = local.token_file if token_file is None and token is None else token_file
    where: Path | Token = token_file if token_file is not None else FixedToken(token or "")
    return RemoteServices(Gateway(address, where, tls))


class RemoteServices:
    """Makes proxies of services by their names, from what those describe of themselves; closing it ends its connections.

    Each method raises RemoteError where the service is not there or may not be used. Those that begin with "a" are for event
    loops; every proxy works in both worlds.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def __enter__(self) -> RemoteServices:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> RemoteServices:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """Closes the connection of sync callers."""
        self.gateway.close()

    async def aclose(self) -> None:
        """Closes the connections of sync callers and of this event loop."""
        self.gateway.close()
        await self.gateway.aclose()

    def tool(self, name: str) -> RemoteTool:
        return self._made(RemoteTool.from_spec, name, self._ask(remote_tool, name))

    def tools(self) -> list[RemoteTool]:
        """Every tool that is ready and that policy lets this caller see."""
        listed = self.gateway.call(LIST, _CATALOGUE, _TOOLS, _TIMEOUT)
        return [self.tool(target.name) for target in listed.targets if target.ready]

    def chat_model(self, name: str, *fallbacks: str) -> RemoteChatModel:
        """A model; `fallbacks` are asked in order where the one before cannot answer."""
        made = [self._made(RemoteChatModel.from_spec, one, self._ask(remote_model, one)) for one in (name, *fallbacks)]
        return RemoteChatModel.in_order(made)

    def agent(self, name: str) -> RemoteAgent:
        return self._made(RemoteAgent.from_spec, name, self._ask(remote_agent, name))

    def retriever(self, name: str) -> RemoteRetriever:
        return self._made(RemoteRetriever.from_spec, name, self._ask(remote_retriever, name))

    def embeddings(self, name: str) -> RemoteEmbeddings:
        return self._made(RemoteEmbeddings.from_spec, name, self._ask(remote_embeddings, name))

    async def atool(self, name: str) -> RemoteTool:
        return self._made(RemoteTool.from_spec, name, await self._aask(remote_tool, name))

    async def atools(self) -> list[RemoteTool]:
        listed = await self.gateway.acall(LIST, _CATALOGUE, _TOOLS, _TIMEOUT)
        return list(await asyncio.gather(*(self.atool(target.name) for target in listed.targets if target.ready)))

    async def achat_model(self, name: str, *fallbacks: str) -> RemoteChatModel:
        names = (name, *fallbacks)
        specs = await asyncio.gather(*(self._aask(remote_model, one) for one in names))
        made = [self._made(RemoteChatModel.from_spec, one, spec) for one, spec in zip(names, specs, strict=True)]
        return RemoteChatModel.in_order(made)

    async def aagent(self, name: str) -> RemoteAgent:
        return self._made(RemoteAgent.from_spec, name, await self._aask(remote_agent, name))

    async def aretriever(self, name: str) -> RemoteRetriever:
        return self._made(RemoteRetriever.from_spec, name, await self._aask(remote_retriever, name))

    async def aembeddings(self, name: str) -> RemoteEmbeddings:
        return self._made(RemoteEmbeddings.from_spec, name, await self._aask(remote_embeddings, name))

    def _ask(self, kind: Any, name: str) -> Any:
        """What the service says of itself; `kind` is the module of its proxy."""
        return self.gateway.call(kind.DESCRIBE, name, kind.describing(name), _TIMEOUT).spec

    async def _aask(self, kind: Any, name: str) -> Any:
        return (await self.gateway.acall(kind.DESCRIBE, name, kind.describing(name), _TIMEOUT)).spec

    def _made(self, from_spec: Callable[[Any, str, Gateway], P], name: str, spec: Any) -> P:
        try:
            return from_spec(spec, name, self.gateway)
        except JsonError as error:
            message = f"what it describes of itself is not usable: {error}"
            raise RemoteError(Failure(name, "CONTRACT_VIOLATED", message)) from None
