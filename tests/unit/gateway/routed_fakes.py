"""A routed service of the chain's tests, and the two sides of a call of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.call import Call, Exchange, Facts, Metadata, Peer
from gateway.config import RouteConfig
from gateway.core.deadline import NEVER, Deadline
from gateway.descriptors import Descriptors
from gateway.routed import RoutedService
from gateway.routes import Method
from gateway.service import Finish, Send
from gateway.targets import Description, State, Target
from tests.unit.gateway.chain_fakes import START, FakeUpstream, authenticated, permitted
from tests.unit.gateway.orders import DATA

GET, WATCH, LOAD, SYNC = (f"/acme.Orders/{name}" for name in ("Get", "Watch", "Load", "Sync"))


def orders(described: bool = True, **settings: Any) -> Target:
    config = RouteConfig.model_validate(
        {"name": "orders", "address": "unix:orders.sock", "methods": ["acme.Orders/*"], **settings}
    )
    routed = RoutedService(config, Descriptors(DATA) if described else None)
    nothing = Description(b"", "orders", "", "", "", "", "", "")
    return Target(config, config.address, "", State.READY, "", nothing, routed)


def method_of(target: Target, name: str) -> Method:
    assert target.routed is not None
    found = target.routed.method(name)
    assert found is not None
    return found


@dataclass
class Caller:
    """A caller's side of an exchange: says `messages`, then nothing more; keeps the initial metadata that it got."""

    messages: list[bytes | float] = field(default_factory=list)
    heads: list[Metadata] = field(default_factory=list)

    async def receive(self) -> bytes | None:
        """A number stands for the seconds that the caller takes before it goes on."""
        while self.messages and isinstance(self.messages[0], float):
            await asyncio.sleep(float(self.messages.pop(0)))
        message = self.messages.pop(0) if self.messages else None
        assert not isinstance(message, float)
        return message

    async def header(self, metadata: Metadata) -> None:
        self.heads.append(metadata)


def call_of(
    target: Target,
    name: str,
    caller: Caller | None = None,
    request: bytes = b"",
    deadline: Deadline = NEVER,
    metadata: Metadata = (),
    started: float = START,
) -> Call:
    """A call as the edge makes it."""
    method = method_of(target, name)
    facts = Facts(started, requests=0 if method.streams_request else 1)
    peer = Peer("test")
    return Call("c" * 32, method, metadata, request, deadline, "local", peer, facts, exchange=caller or Caller())


def permitted_call(target: Target, name: str, caller: Caller | None = None, **more: Any) -> Call:
    """A call as Authorize hands it on."""
    return permitted(authenticated(call_of(target, name, caller, **more)), target)


Carried = Callable[[Exchange, Send], Awaitable[Finish]]


@dataclass
class RoutedUpstream(FakeUpstream):
    """Runs `carried` in place of a routed target."""

    carried: Carried | None = None
    metadata: Metadata = ()
    attempts: int = 0

    async def carry(
        self,
        target: Target,
        method: Method,
        metadata: Metadata,
        request: bytes,
        exchange: Exchange,
        deadline: Deadline,
        send: Send,
    ) -> Finish:
        self.metadata = metadata
        self.attempts += 1
        assert self.carried is not None
        return await self.carried(exchange, send)
