"""The admin surface by real HTTP."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway.adapters.admin import Admin, Sources, application


def sources(missing: dict[str, str]) -> Sources:
    return Sources(
        lambda: missing,
        lambda: (b"firebreak_calls_total 1\n", "text/plain; version=0.0.4"),
        lambda: {"a": 1},
        lambda: {"principals": ["user:ada"]},
    )


@asynccontextmanager
async def surface(missing: dict[str, str]) -> AsyncIterator[str]:
    admin = Admin("127.0.0.1:0", sources(missing))
    task = asyncio.ensure_future(admin.run())
    try:
        yield f"http://127.0.0.1:{admin.port}"
    finally:
        admin.stop()
        await task


async def get(url: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, content type and body; waits for the server to start."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(10), session.request(method, url) as response:
        return response.status, response.headers["content-type"], await response.text()


async def test_health_metrics_and_status() -> None:
    async with surface({}) as url:
        assert (await get(url + "/healthz"))[::2] == (200, "ok\n")
        status, kind, body = await get(url + "/metrics")
        assert (status, body) == (200, "firebreak_calls_total 1\n")
        assert kind.startswith("text/plain; version=0.0.4")
        assert json.loads((await get(url + "/status"))[2]) == {"a": 1}


async def test_readiness_says_what_is_missing() -> None:
    missing: dict[str, str] = {}
    async with surface(missing) as url:
        assert (await get(url + "/readyz"))[0] == 200
        missing["draining"] = "shutting down"
        status, _, body = await get(url + "/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "missing": {"draining": "shutting down"}}


async def test_it_only_reads() -> None:
    async with surface({}) as url:
        assert (await get(url + "/status", "POST"))[0] == 405
        assert (await get(url + "/nope"))[0] == 404


async def test_who_used_what_is_told_on_the_same_machine() -> None:
    async with surface({}) as url:
        assert json.loads((await get(url + "/usage"))[2]) == {"principals": ["user:ada"]}


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        *[(here, 200) for here in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1")],
        *[(elsewhere, 403) for elsewhere in ("10.0.0.7", "::ffff:10.0.0.7", "2001:db8::1", None)],
    ],
)
async def test_who_used_what_is_told_nowhere_else(peer: str | None, status: int) -> None:
    told: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/usage",
        "query_string": b"",
        "headers": [(b"x-forwarded-for", b"127.0.0.1")],
        "client": (peer, 4711) if peer else None,
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        told.append(message)

    await application(sources({}))(scope, receive, send)
    assert told[0]["status"] == status
    assert (b"user:ada" in told[1]["body"]) == (status == 200)


async def test_a_header_makes_nobody_local_or_remote() -> None:
    async with surface({}) as url, aiohttp.ClientSession() as session:
        await get(url + "/healthz")
        async with session.get(url + "/usage", headers={"x-forwarded-for": "10.0.0.7"}) as response:
            assert response.status == 200


async def test_signals_stay_with_the_gateway() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with surface({}) as url:
        await get(url + "/healthz")
        assert signal.getsignal(signal.SIGTERM) is before


async def test_an_address_in_use_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            Admin(f"127.0.0.1:{taken.getsockname()[1]}", sources({}))
