"""Makes calls, targets and a scripted service for tests of the chain's stages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.call import Call, Facts, Peer, Principal, Session
from gateway.config import Breaker, Effect, Limits, Retry, ServiceConfig
from gateway.core.deadline import Deadline
from gateway.routes import METHODS, Kind
from gateway.service import Finish, Send
from gateway.targets import Target

TOOL_CALL = "/firebreak.v1.ToolService/Call"
TOOL_DESCRIBE = "/firebreak.v1.ToolService/Describe"


def make_target(
    name: str = "calculator",
    *,
    kind: Kind = Kind.TOOL,
    effect: Effect | None = Effect.READ,
    limits: Limits | None = None,
    breaker: Breaker | None = None,
    retry: Retry | None = None,
) -> Target:
    config = ServiceConfig(
        name=name,
        kind=kind,
        version="1.0.0",
        entrypoint="module:tool",
        effect=effect,
        limits=limits or Limits(),
        breaker=breaker or Breaker(),
        retry=retry or Retry(),
    )
    return Target(config, f"unix:{name}.sock", f"service:{name}")


def make_call(
    target: Target | None = None,
    *,
    method: str = TOOL_CALL,
    principal: str = "user:ada",
    depth: int = 0,
    deadline: float = float("inf"),
    started: float = 0.0,
) -> Call:
    return Call(
        id="0" * 32,
        method=METHODS[method],
        metadata=(),
        request=b"request",
        deadline=Deadline(deadline),
        listener="local",
        peer=Peer(),
        facts=Facts(started=started),
        principal=Principal(principal, "https://users.test"),
        session=Session("1" * 32, (principal,), depth=depth),
        target=target,
    )


async def discard(message: bytes) -> None:
    """A caller that reads at once."""


@dataclass
class FakeService:
    """Ends each call as its script says, in turn; when the script is over, with OK.

    An entry is a Finish to return, an exception to raise, or a coroutine function that is given `send` and returns a Finish.
    """

    script: list[Any] = field(default_factory=list)
    calls: int = 0
    running: int = 0
    most: int = 0

    async def __call__(self, call: Call, send: Send) -> Finish:
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self._end(self.script.pop(0) if self.script else Finish(), send)
        finally:
            self.running -= 1

    async def _end(self, entry: Any, send: Send) -> Finish:
        if isinstance(entry, BaseException):
            raise entry
        if isinstance(entry, Finish):
            return entry
        finish: Finish = await entry(send)
        return finish


def takes(seconds: float, finish: Finish | BaseException | None = None) -> Callable[[Send], Awaitable[Finish]]:
    """A script entry that ends so after `seconds`."""

    async def entry(send: Send) -> Finish:
        await asyncio.sleep(seconds)
        if isinstance(finish, BaseException):
            raise finish
        return finish or Finish()

    return entry
