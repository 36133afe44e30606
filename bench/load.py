"""Calls for a benchmark: as many at once as are wanted, or at a rate, whatever becomes of those before."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from firebreak.v1 import tool_pb2

from bench.backend import HOLD
from bench.fleet import Fleet, Gateway

SERVICE = "/firebreak.v1.ToolService/"
PATIENCE = 1.0
"""Seconds after which a call that is made at a rate counts as failed."""


def request(arguments: bytes) -> bytes:
    call = tool_pb2.ToolCall(target="calculator", args_json=arguments)
    return tool_pb2.ToolServiceCallRequest(call=call).SerializeToString()


_UNARY, _HELD = request(b'{"expression": "1234 * 5678"}'), request(HOLD)


class CallFailed(Exception):
    """A call failed whose cost was to be measured: figures of calls that fail say nothing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One principal with a connection of its own to one gateway."""

    unary: Any
    streamed: Any
    metadata: tuple[tuple[str, str], ...]

    async def call(self, timeout: float = 30.0) -> None:
        await self.unary(_UNARY, metadata=self.metadata, timeout=timeout)

    async def held(self) -> None:
        """A call that ends when it is cancelled."""
        await self.unary(_HELD, metadata=self.metadata, timeout=120)

    async def stream(self, events: int) -> None:
        """Reads a stream; raises RuntimeError unless it had that many events."""
        asked = self.streamed(request(b'{"expression": "%d"}' % events), metadata=self.metadata, timeout=30)
        found = 0
        async for _ in asked:
            found += 1
        if found != events:
            raise RuntimeError(f"a stream of {events} events had {found}")


@asynccontextmanager
async def callers(fleet: Fleet, gateways: Sequence[Gateway]) -> AsyncIterator[list[Caller]]:
    """Every caller at every gateway, those of one caller side by side, each with a connection that is open."""
    async with AsyncExitStack() as stack:
        made = []
        for token in fleet.tokens:
            for gateway in gateways:
                channel = await stack.enter_async_context(_channel(fleet.folder, gateway))
                await channel.channel_ready()
                made.append(_caller(channel, token))
        yield made


def _channel(folder: Path, gateway: Gateway) -> grpc.aio.Channel:
    options = [("grpc.use_local_subchannel_pool", 1)]
    address = f"localhost:{gateway.port}"
    if not gateway.shape.tls:
        return grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}", options)
    files = ("ca.crt", "developer.key", "developer.crt")
    ca, key, certificate = ((folder / "identity" / name).read_bytes() for name in files)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca, key, certificate), options)


def _caller(channel: grpc.aio.Channel, token: str) -> Caller:
    metadata = (("authorization", f"Bearer {token}"),)
    return Caller(channel.unary_unary(SERVICE + "Call"), channel.unary_stream(SERVICE + "Stream"), metadata)


async def at_once(
    callers: Sequence[Caller], each: Callable[[Caller], Awaitable[None]], number: int, seconds: float
) -> int:
    """Does `each` over and over with `number` in flight for so long: how often it was done. Raises CallFailed."""
    end, done, turn = time.perf_counter() + seconds, 0, cycle(callers)

    async def some() -> None:
        nonlocal done
        while True:
            await each(next(turn))
            done += 1
            if time.perf_counter() > end:
                return

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(number):
                group.create_task(some())
    except* grpc.aio.AioRpcError as failed:
        first: Any = failed.exceptions[0]
        raise CallFailed(f"{first.code().name}: {first.details()}") from None
    return done


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of calls at a rate: seconds from when each that succeeded was due to its answer, and the others by code.

    `seconds` is how long it took to begin them all: longer than was asked for where the generator itself could not keep up.
    `lasted` is until the last one had ended: longer still where calls heaped up.
    """

    seconds: float
    lasted: float
    latencies: tuple[float, ...]
    failures: Counter[str]

    @property
    def offered(self) -> float:
        return (len(self.latencies) + self.failures.total()) / self.seconds

    @property
    def good(self) -> float:
        """Calls a second that were answered in time. A heap that only grows until the calls stop counts as what it is."""
        return len(self.latencies) / self.lasted

    def quantile(self, share: float) -> float:
        """Seconds; infinite where no call succeeded."""
        ordered = sorted(self.latencies)
        return ordered[int(share * (len(ordered) - 1))] if ordered else float("inf")


async def at_rate(callers: Sequence[Caller], rate: float, seconds: float) -> Answers:
    """Calls that begin when they are due, at even distances, one caller after the other."""
    latencies: list[float] = []
    failures: Counter[str] = Counter()

    async def one(caller: Caller, due: float) -> None:
        try:
            await caller.call(PATIENCE)
            latencies.append(time.perf_counter() - due)
        except grpc.aio.AioRpcError as error:
            failures[error.code().name] += 1

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, caller in zip(range(max(1, int(rate * seconds))), cycle(callers), strict=False):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(caller, due))
        took = max(seconds, time.perf_counter() - began)
    return Answers(took, max(took, time.perf_counter() - began), tuple(latencies), failures)
