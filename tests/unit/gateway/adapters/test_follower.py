"""Who follows a service ends when it is told to, whatever the service does in that moment."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway.adapters.registry.follower import Follower
from tests.unit.gateway.chain_fakes import target


class Watch:
    """One health watch, whose status comes when `answer` is set."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def read(self) -> Any:
        return await self.answer

    def cancel(self) -> None:
        """Nothing is held."""


class Channel:
    """A channel to a service of which only the health can be asked."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []

    def unary_unary(self, *_: Any, **__: Any) -> None:
        """Is not called."""

    def unary_stream(self, *_: Any, **__: Any) -> Any:
        return self._watch

    def _watch(self, _request: Any, timeout: float) -> Watch:
        assert timeout > 0
        self.watches.append(Watch())
        return self.watches[-1]


@pytest.mark.parametrize("moment", range(8))
async def test_following_ends_though_an_answer_comes_with_the_order_to(moment: int) -> None:
    """`moment` turns of the loop after the answer: in some of them it has been passed on and not yet been read."""
    channel = Channel()
    follower = asyncio.create_task(Follower(target(), channel, retry=0.01).run())
    while not channel.watches:
        await asyncio.sleep(0)
    nobody = grpc.aio.Metadata()
    channel.watches[0].answer.set_exception(grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nobody, nobody, "away"))
    for _ in range(moment):
        await asyncio.sleep(0)
    follower.cancel()
    await asyncio.wait((follower,), timeout=2)
    assert follower.done()
    assert len(channel.watches) == 1
