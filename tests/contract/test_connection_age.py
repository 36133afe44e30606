"""Clients spread anew over replicas because connections have an age, and no call is lost by that."""

from __future__ import annotations

import asyncio

import grpc.aio
import pytest
from firebreak_runtime.remote.channels import Channels

from gateway.call import Call
from gateway.service import Finish, Send
from tests.contract.edge import UNARY, Chain, echo, listening

CALLERS = 4


@pytest.fixture
def address() -> str:
    return "127.0.0.1:0"


def connections(chain: Chain) -> int:
    return len({call.peer.address for call in chain.calls})


async def test_every_call_of_a_service_is_answered_over_many_connections(address: str) -> None:
    chain = Chain(echo)
    async with listening(chain, address, connection_age=0.2) as bound:
        channels = Channels(f"127.0.0.1:{bound.port}", None)

        async def calls() -> int:
            made = 0
            while connections(chain) < 8:
                async with channels.of_loop() as channel:
                    assert await channel.unary_unary(UNARY)(b"x", timeout=5) == b"x"
                made += 1
            return made

        async with asyncio.timeout(20):
            made = await asyncio.gather(*(calls() for _ in range(CALLERS)))
        await channels.aclose()
    assert len(chain.calls) == sum(made)


async def test_a_call_may_be_older_than_its_connection(address: str) -> None:
    go = asyncio.Event()

    async def held(call: Call, send: Send) -> Finish:
        if call.request == b"held":
            await go.wait()
        return await echo(call, send)

    chain = Chain(held)
    async with (
        listening(chain, address, connection_age=0.2) as bound,
        grpc.aio.insecure_channel(f"127.0.0.1:{bound.port}") as channel,
    ):
        old = channel.unary_unary(UNARY)(b"held", timeout=20)
        while connections(chain) < 3:
            assert await channel.unary_unary(UNARY)(b"x", timeout=5) == b"x"
        go.set()
        assert await old == b"held"


async def test_without_an_age_a_connection_stays(address: str) -> None:
    chain = Chain(echo)
    async with (
        listening(chain, address) as bound,
        grpc.aio.insecure_channel(f"127.0.0.1:{bound.port}") as channel,
    ):
        for _ in range(200):
            await channel.unary_unary(UNARY)(b"x", timeout=5)
    assert connections(chain) == 1
