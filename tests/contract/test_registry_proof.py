"""A service is ready when it is proven, and only as long as what it was proven by stays true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from firebreak.v1 import host_pb2

from gateway.adapters.self_test import OutOfReach, SelfTest
from gateway.adapters.upstream import GrpcUpstream
from gateway.proof import Promise, Verdict
from gateway.targets import State, Target
from tests.contract.backend import Backend, serving, spec, target
from tests.contract.test_registry import elsewhere, following, routed, until
from tests.proofs import FakeProver, promise

PROVE = "/firebreak.v1.HostService/Prove"
BROKEN = promise("deny:long-code", Verdict.BROKEN, "policy allows it")
UNKNOWN = promise("allow:adds", Verdict.UNKNOWN, "it is busy")


async def test_a_service_is_starting_until_its_probes_are_answered(sockets: Path) -> None:
    to, prover = target(sockets / "s"), FakeProver(hold=asyncio.Event())
    async with serving(Backend(), sockets / "s"), following(to, prover=prover):
        await until(lambda: prover.waiting == 1)
        assert (to.state, to.reason) == (State.STARTING, "its probes are being answered")
        assert to.description is not None
        assert prover.hold is not None
        prover.hold.set()
        await until(lambda: to.state is State.READY)
        assert to.proof is not None
        assert to.proof.promises == prover.denies


async def test_a_broken_promise_keeps_a_service_from_being_ready_and_says_why(sockets: Path) -> None:
    to, prover = target(sockets / "s"), FakeProver(denies=(BROKEN,))
    async with serving(Backend(), sockets / "s"), following(to, prover=prover):
        await until(lambda: to.state is State.NOT_READY)
        assert to.reason == "its probe deny:long-code is not denied: policy allows it"
        prover.denies = ()
        await until(lambda: to.state is State.READY)
        assert to.reason == ""


async def test_what_could_not_be_tried_is_tried_again_before_a_service_is_ready(sockets: Path) -> None:
    to, prover = target(sockets / "s"), FakeProver(answers=(UNKNOWN,))
    async with serving(Backend(), sockets / "s"), following(to, prover=prover):
        await until(lambda: prover.parts().count("answered") > 2)
        assert (to.state, "allow:adds" in to.reason) == (State.STARTING, True)
        prover.answers = ()
        await until(lambda: to.state is State.READY)


async def test_a_changed_policy_is_proven_at_once_and_denials_count_before_anything_is_answered(sockets: Path) -> None:
    to, prover = target(sockets / "s"), FakeProver()
    async with serving(Backend(), sockets / "s"), following(to, prover=prover):
        await until(lambda: to.state is State.READY)
        prover.hold, prover.denies, prover.revision = asyncio.Event(), (BROKEN,), "2"
        await until(lambda: to.state is State.NOT_READY)
        prover.denies, prover.revision = (), "3"
        await until(lambda: prover.parts().count("denied") == 3)
        assert to.state is State.NOT_READY
        prover.hold.set()
        await until(lambda: to.state is State.READY)
        assert prover.parts().count("enclosed") == 1, "walls do not hang on policy"


async def test_a_restarted_service_is_proven_anew(sockets: Path) -> None:
    to, prover = target(sockets / "s"), FakeProver()
    async with following(to, prover=prover):
        async with serving(Backend(), sockets / "s"):
            await until(lambda: to.state is State.READY)
        await until(lambda: to.state is State.NOT_READY)
        prover.walls = (promise("network", Verdict.BROKEN, "connected to 1.1.1.1:443"),)
        async with serving(Backend(), sockets / "s"):
            await until(lambda: "its sandbox does not keep the promise `network`" in to.reason)
            assert to.state is State.NOT_READY


async def test_an_unseen_restart_is_proven_while_it_serves(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.registry.follower.WATCH_SECONDS", 0.1)
    backend, to, prover = Backend(), target(sockets / "s"), FakeProver()
    async with serving(backend, sockets / "s"), following(to, prover=prover):
        await until(lambda: to.state is State.READY)
        backend.described = spec(version="2.0.0")
        await until(lambda: prover.parts().count("enclosed") == 2)
        assert to.state is State.READY


async def test_what_is_coming_takes_over_only_when_it_is_proven(sockets: Path) -> None:
    old, prover = target(sockets / "s"), FakeProver()
    new = elsewhere(old, sockets / "new")
    async with (
        serving(Backend(), sockets / "s"),
        serving(Backend(), sockets / "new"),
        following(old, prover=prover) as registry,
    ):
        await until(lambda: old.state is State.READY)
        prover.hold = asyncio.Event()
        registry.put([new])
        await until(lambda: prover.waiting == 1)
        assert registry.get("calculator") is old
        prover.hold.set()
        await until(lambda: registry.get("calculator") is new)


async def test_a_removed_service_is_proven_no_more(sockets: Path) -> None:
    to, prover = target(sockets / "s"), FakeProver(hold=asyncio.Event())
    async with serving(Backend(), sockets / "s"), following(to, prover=prover) as registry:
        await until(lambda: prover.waiting == 1)
        registry.put([])
        await until(lambda: prover.waiting == 0)


async def test_a_route_is_proven_too(sockets: Path) -> None:
    to, prover = routed(sockets / "nowhere", "none"), FakeProver(denies=(BROKEN,))
    async with following(to, prover=prover):
        await until(lambda: to.state is State.NOT_READY)
        prover.denies = ()
        await until(lambda: to.state is State.READY)


class Host(Backend):
    """A service whose host tries its walls."""

    def __init__(self, answer: Callable[[host_pb2.HostServiceProveRequest, Any], Awaitable[bytes]]) -> None:
        super().__init__()
        self.answer = answer

    def service(self, details: Any) -> Any:
        if details.method != PROVE:
            return super().service(details)
        return grpc.unary_unary_rpc_method_handler(self._prove)

    async def _prove(self, request: bytes, context: Any) -> bytes:
        return await self.answer(host_pb2.HostServiceProveRequest.FromString(request), context)


@asynccontextmanager
async def self_test(to: Target) -> AsyncIterator[SelfTest]:
    upstream = GrpcUpstream(asyncio.get_running_loop().time)
    forbidden = OutOfReach(files=("/etc/shadow",), sockets=("/s",), addresses=("127.0.0.1:7501",))
    try:
        yield SelfTest(upstream.channel, lambda _target: forbidden)
    finally:
        await upstream.close()


async def test_the_host_is_told_what_must_be_out_of_reach_and_says_what_it_found(sockets: Path) -> None:
    asked: list[host_pb2.HostServiceProveRequest] = []

    async def answer(request: host_pb2.HostServiceProveRequest, _context: Any) -> bytes:
        asked.append(request)
        found = [
            host_pb2.Promise(
                name="network", state=host_pb2.PROMISE_STATE_BROKEN, detail="connected to\n127.0.0.1:7501"
            ),
            host_pb2.Promise(name="files", state=host_pb2.PROMISE_STATE_HELD),
            host_pb2.Promise(name="landlock", state=host_pb2.PROMISE_STATE_NOT_IN_FORCE, detail="the kernel has none"),
            host_pb2.Promise(name="scratch"),
            host_pb2.Promise(name="made-up", state=host_pb2.PROMISE_STATE_HELD),
        ]
        return host_pb2.HostServiceProveResponse(promises=found).SerializeToString()

    to = target(sockets / "s")
    async with serving(Host(answer), sockets / "s"), self_test(to) as test:
        assert await test.prove(to) == (
            Promise("network", Verdict.BROKEN, "connected to 127.0.0.1:7501"),
            Promise("files", Verdict.HELD),
            Promise("landlock", Verdict.NOT_IN_FORCE, "the kernel has none"),
            Promise("scratch", Verdict.UNKNOWN),
        )
    assert (asked[0].files, asked[0].sockets, asked[0].addresses) == (["/etc/shadow"], ["/s"], ["127.0.0.1:7501"])


async def test_a_host_that_knows_of_no_walls_promises_none(sockets: Path) -> None:
    to = target(sockets / "s")
    async with serving(Backend(), sockets / "s"), self_test(to) as test:
        assert await test.prove(to) == ()


async def test_a_route_is_not_asked(sockets: Path) -> None:
    to = routed(sockets / "nowhere", "none")
    async with self_test(to) as test:
        assert await test.prove(to) == ()


async def test_a_host_that_fails_leaves_it_unknown(sockets: Path) -> None:
    async def answer(_request: Any, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "too busy")
        raise AssertionError

    to = target(sockets / "s")
    async with serving(Host(answer), sockets / "s"), self_test(to) as test:
        (found,) = await test.prove(to)
    assert (found.name, found.verdict) == ("self-test", Verdict.UNKNOWN)
    assert "UNAVAILABLE" in found.detail


async def test_a_host_that_never_answers_leaves_it_unknown(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.self_test.PATIENCE", 0.05)

    async def answer(_request: Any, _context: Any) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    to = target(sockets / "s")
    async with serving(Host(answer), sockets / "s"), self_test(to) as test:
        (found,) = await test.prove(to)
    assert (found.name, found.verdict) == ("self-test", Verdict.UNKNOWN)
