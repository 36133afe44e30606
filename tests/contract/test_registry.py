"""The registry against real services: it knows of each whether it can take calls, and says why not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.adapters.registry import Registry
from gateway.adapters.registry import follower as follower_module
from gateway.adapters.upstream import GrpcUpstream
from gateway.targets import State, Target
from tests.contract.backend import Backend, serving, spec, target


@asynccontextmanager
async def following(*targets: Target) -> AsyncIterator[Registry]:
    upstream = GrpcUpstream(asyncio.get_running_loop().time)
    registry = Registry(targets, upstream.channel, retry=0.01)
    task = asyncio.ensure_future(registry.run())
    try:
        yield registry
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await upstream.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_serving_service_is_ready_and_described(sockets: Path) -> None:
    to = target(sockets / "s")
    async with serving(Backend(), sockets / "s"), following(to) as registry:
        await until(lambda: to.state is State.READY)
        assert registry.get("calculator") is to
        assert registry.get("nope") is None
        assert registry.all() == (to,)
    said = to.description
    assert said is not None
    assert (said.name, said.version, said.framework, said.framework_version) == ("calc", "1.2.3", "langchain", "1.4.7")
    assert (said.core_version, said.python, said.schema) == ("1.7.2", "3.11.7", {"type": "object"})
    assert said.response == spec()


async def test_a_service_that_is_not_there_yet_is_starting_until_it_comes(sockets: Path) -> None:
    to = target(sockets / "s")
    async with following(to):
        await until(lambda: "nothing answers" in to.reason)
        assert to.state is State.STARTING
        async with serving(Backend(), sockets / "s"):
            await until(lambda: to.state is State.READY)
            assert to.reason == ""


async def test_a_service_that_cannot_start_says_why(sockets: Path) -> None:
    backend, to = Backend(), target(sockets / "s")
    backend.cause = {"cause": "ImportError: cannot import name 'ExecutionInfo'"}
    await backend.set(False)
    async with serving(backend, sockets / "s"), following(to):
        await until(lambda: to.state is State.NOT_READY)
        assert to.reason == "ImportError: cannot import name 'ExecutionInfo'"
        backend.cause = None
        await backend.set(True)
        await until(lambda: to.state is State.READY)


async def test_a_service_that_is_still_loading_is_starting(sockets: Path) -> None:
    backend, to = Backend(), target(sockets / "s")
    backend.cause = {}
    await backend.set(False)
    async with serving(backend, sockets / "s"), following(to):
        await until(lambda: to.reason == "not ready")
        assert to.state is State.STARTING


async def test_a_ready_service_that_stops_serving_is_not_ready_at_once(sockets: Path) -> None:
    backend, to = Backend(), target(sockets / "s")
    async with serving(backend, sockets / "s"), following(to):
        await until(lambda: to.state is State.READY)
        await backend.set(False)
        await until(lambda: to.state is State.NOT_READY)
        assert to.reason == "the service reports that it is not serving"
        await backend.set(True)
        await until(lambda: to.state is State.READY)


async def test_a_restarted_service_is_described_anew(sockets: Path) -> None:
    to = target(sockets / "s")
    async with following(to):
        async with serving(Backend(), sockets / "s"):
            await until(lambda: to.state is State.READY)
        await until(lambda: to.state is State.NOT_READY)
        second = Backend()
        second.described = spec(version="2.0.0")
        async with serving(second, sockets / "s"):
            await until(lambda: to.state is State.READY)
        assert to.description is not None
        assert to.description.version == "2.0.0"


async def test_a_renewed_watch_sees_what_changed_in_between(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "WATCH_SECONDS", 0.1)
    backend, to = Backend(), target(sockets / "s")
    async with serving(backend, sockets / "s"), following(to):
        await until(lambda: to.state is State.READY)
        seen: list[State] = []
        backend.described = spec(version="2.0.0")
        await until(lambda: seen.append(to.state) or to.description.version == "2.0.0")  # type: ignore[union-attr,func-returns-value]
        assert set(seen) == {State.READY}, "renewing is no interruption"


async def test_a_service_without_health_is_told_what_it_lacks(sockets: Path) -> None:
    to = target(sockets / "s")
    async with serving(Backend(), sockets / "s", with_health=False), following(to):
        await until(lambda: to.state is State.NOT_READY)
        assert to.reason == "the service does not serve grpc.health.v1"


async def test_a_service_that_accepts_but_never_answers_is_found_out(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "ANSWER_SECONDS", 0.05)
    to = target(sockets / "s")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(sockets / "s"))
        silent.listen()
        async with following(to):
            await until(lambda: "does not answer" in to.reason)
            assert to.state is State.STARTING


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        (b"\xff\xff", "no valid protobuf"),
        (b"", "has no name"),
        (spec(schema_sha256="0" * 64), "schema_sha256 is not the hash"),
        (spec(input_schema_json=b"{"), "no valid JSON"),
        (spec(input_schema_json=b"[]"), "no JSON object"),
    ],
)
async def test_a_service_that_describes_itself_wrongly_is_not_ready(
    sockets: Path, described: bytes, reason: str
) -> None:
    backend, to = Backend(), target(sockets / "s")
    backend.described = described
    async with serving(backend, sockets / "s"), following(to):
        await until(lambda: to.state is State.NOT_READY)
        assert reason in to.reason
