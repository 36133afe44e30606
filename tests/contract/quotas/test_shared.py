"""Quotas of several gateways over one real Redis: one rate for all, and what happens when it is gone, hangs or comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.adapters.quotas.make import make_quotas
from gateway.adapters.quotas.shared import SharedQuotas
from gateway.config import Quotas
from gateway.errors import CallError, Reason
from tests.contract.quotas.redis_server import RedisServer, redis

BUSY = "250ms"
"""Of a machine that runs other tests too."""

SLOWLY = 0.01
"""Tokens a second: none comes while a test runs."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis() as running:
        yield running


@asynccontextmanager
async def gateway(url: str, folder: Path, **settings: str) -> AsyncIterator[SharedQuotas]:
    """What a gateway has of the quotas at `url`, watched as a gateway does it."""
    quotas = make_quotas(Quotas.model_validate({"redis": url, "timeout": BUSY, **settings}), folder)
    assert quotas is not None
    watching = asyncio.create_task(quotas.run())
    try:
        yield quotas
    finally:
        watching.cancel()
        await quotas.close()


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.01)


async def let_through(*gateways: SharedQuotas, calls: int, per_second: float = SLOWLY, burst: int = 10) -> int:
    """How many of `calls`, dealt out to the gateways in turn, may go on."""
    waits = [await gateways[turn % len(gateways)].take("target:x", per_second, burst) for turn in range(calls)]
    return sum(wait == 0.0 for wait in waits)


async def test_two_gateways_share_one_burst(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(server.url, tmp_path) as one, gateway(server.url, tmp_path) as other:
        assert await let_through(one, other, calls=10, burst=10) == 10
        for each in (one, other):
            assert await each.take("target:x", SLOWLY, 10) == pytest.approx(100, abs=10)
        assert await one.take("target:y", SLOWLY, 10) == 0.0
        assert one.report() == {"backend": "redis", "degraded": ""}


async def test_calls_at_once_get_no_more_than_the_burst(server: RedisServer, tmp_path: Path) -> None:
    async with (
        gateway(server.url, tmp_path, timeout="10s") as one,
        gateway(server.url, tmp_path, timeout="10s") as other,
    ):
        waits = await asyncio.gather(*((one, other)[turn % 2].take("target:x", SLOWLY, 50) for turn in range(200)))
        assert waits.count(0.0) == 50


async def test_a_rate_that_was_raised_counts_at_once(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(server.url, tmp_path) as one, gateway(server.url, tmp_path) as other:
        assert await let_through(one, calls=10, burst=10) == 10
        assert await other.take("target:x", SLOWLY, 10) > 50
        # The burst is owed at the new rate: one call comes free in 20 ms.
        assert await other.take("target:x", 50.0, 10) <= 0.021


async def test_waiting_as_long_as_told_is_enough(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(server.url, tmp_path) as one, gateway(server.url, tmp_path) as other:
        assert await one.take("target:x", 5.0, 1) == 0.0
        wait = await other.take("target:x", 5.0, 1)
        assert 0 < wait <= 0.2
        await asyncio.sleep(wait + 0.001)
        assert await one.take("target:x", 5.0, 1) == 0.0


async def test_a_full_bucket_takes_no_memory_and_nobody_is_named(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(server.url, tmp_path) as one:
        await one.take("principal:user:anna", SLOWLY, 1)
        assert b"anna" not in server.say("KEYS", "*")
        assert b"firebreak:quota:" in server.say("KEYS", "*")
        await one.take("target:quick", 1000.0, 10)
        await until(lambda: server.say("DBSIZE") == b":1\r\n", "the full buckets are gone, the empty one is not")


@pytest.mark.parametrize("fault", ["kill", "hang"])
@pytest.mark.parametrize("when_gone", ["local", "refuse"])
async def test_gone_and_back(server: RedisServer, tmp_path: Path, fault: str, when_gone: str) -> None:
    async with (
        gateway(server.url, tmp_path, when_gone=when_gone) as one,
        gateway(server.url, tmp_path, when_gone=when_gone) as other,
    ):
        assert await let_through(one, other, calls=2) == 2
        getattr(server, fault)()
        started = time.monotonic()
        await goes_on(one, when_gone)
        assert time.monotonic() - started < 2.0  # one question's timeout, and a busy machine
        await until(lambda: one.report()["degraded"] != "" != other.report()["degraded"], "both know")
        assert f"127.0.0.1:{server.port}" in one.report()["degraded"]
        started = time.monotonic()
        for _ in range(500):
            await goes_on(one, when_gone)
        assert time.monotonic() - started < 0.5  # none of them asked
        server.start() if fault == "kill" else server.go_on()
        await until(lambda: one.report()["degraded"] == "" == other.report()["degraded"], "it is back")
        fresh = 0 if fault == "hang" else 2
        assert await let_through(one, other, calls=20) in range(7, 9 + fresh)


async def goes_on(quotas: SharedQuotas, when_gone: str) -> None:
    if when_gone == "local":
        assert await quotas.take("target:x", SLOWLY, 10) == 0.0
        return
    with pytest.raises(CallError) as caught:
        await quotas.take("target:x", SLOWLY, 10)
    assert (caught.value.reason, caught.value.retry_after) == (Reason.OVERLOADED, 1.0)
    assert "127.0.0.1" not in str(caught.value)


async def test_a_server_that_was_never_there(server: RedisServer, tmp_path: Path) -> None:
    server.kill()
    async with gateway(server.url, tmp_path) as one:
        await until(lambda: one.report()["degraded"] != "", "it is told without a call")
        assert await one.take("target:x", SLOWLY, 1) == 0.0


async def test_a_password_is_read_anew_and_never_told(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong-secret\n")
    with redis("--requirepass", "right-secret") as server:
        async with gateway(server.url, tmp_path, password_file="password") as one:
            await until(lambda: one.report()["degraded"] != "", "the wrong one is told")
            said = one.report()["degraded"]
            assert "does not accept" in said and "secret" not in said
            (tmp_path / "password").write_text("right-secret\n")
            await until(lambda: one.report()["degraded"] == "", "the right one is in use")
            (tmp_path / "password").unlink()
            assert await let_through(one, calls=11) == 10


async def test_a_password_file_that_is_gone_is_told(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(server.url, tmp_path, password_file="password") as one:
        await until(lambda: "password for Redis cannot be read" in one.report()["degraded"], "it is told")
