"""The registry against real services: it knows of each whether it can take calls, and says why not; targets come and go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.adapters.registry import Changes, Prover, Registry
from gateway.adapters.registry import follower as follower_module
from gateway.adapters.upstream import GrpcUpstream
from gateway.config import Limits, RouteConfig
from gateway.routed import RoutedService
from gateway.targets import State, Target
from tests.contract.backend import Backend, serving, spec, target
from tests.proofs import FakeProver, pace


async def _as_before(_target: Target) -> None:
    """Of targets whose address leads nowhere else."""


@asynccontextmanager
async def following(
    *targets: Target,
    prover: Prover | None = None,
    renew: Callable[[Target], Any] = lambda _: None,
    spread: Callable[[Target], Awaitable[Any]] = _as_before,
) -> AsyncIterator[Registry]:
    upstream = GrpcUpstream(asyncio.get_running_loop().time)
    registry = Registry(targets, upstream.channel, upstream.retire, pace(), renew, spread)
    task = asyncio.ensure_future(registry.run(prover or FakeProver()))
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


@asynccontextmanager
async def two_instances(sockets: Path) -> AsyncIterator[tuple[Target, Backend, Backend]]:
    """A target that is ready by the first of two, and whose name leads to the second as soon as it is looked up anew."""
    first, second, to = Backend(), Backend(), target(sockets / "first")
    second.described = spec(version="2.0.0")
    channel = grpc.aio.insecure_channel(f"unix:{sockets / 'second'}")
    async with (
        serving(first, sockets / "first"),
        serving(second, sockets / "second"),
        channel,
        following(to, renew=lambda _: channel),
    ):
        await until(lambda: to.state is State.READY)
        yield to, first, second


async def test_when_an_instance_ends_the_service_stays_ready_by_another(sockets: Path) -> None:
    async with two_instances(sockets) as (to, first, _):
        states = {to.state}

        def described_anew() -> bool:
            states.add(to.state)
            return to.description is not None and to.description.version == "2.0.0"

        await first.set(False)
        await until(described_anew)
        await until(lambda: to.reason == "")
        assert states == {State.READY}


async def test_an_instance_that_was_added_is_followed_at_the_next_watch_and_nothing_is_interrupted(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "WATCH_SECONDS", 0.1)
    first, second, to = Backend(), Backend(), target(sockets / "first")
    second.described = spec(version="2.0.0")
    channel = grpc.aio.insecure_channel(f"unix:{sockets / 'second'}")
    added = asyncio.Event()

    async def spread(_target: Target) -> Any:
        return channel if added.is_set() else None

    async with (
        serving(first, sockets / "first"),
        serving(second, sockets / "second"),
        channel,
        following(to, spread=spread),
    ):
        await until(lambda: to.state is State.READY)
        assert to.description is not None and to.description.version != "2.0.0"
        states = {to.state}

        def of_the_second() -> bool:
            states.add(to.state)
            return to.description is not None and to.description.version == "2.0.0"

        added.set()
        await until(of_the_second)
        assert states == {State.READY}


async def test_when_no_other_instance_serves_the_service_is_not_ready(sockets: Path) -> None:
    async with two_instances(sockets) as (to, first, second):
        await second.set(False)
        await first.set(False)
        await until(lambda: to.state is State.NOT_READY)
        await second.set(True)
        await until(lambda: to.state is State.READY)


async def test_a_gateway_that_starts_lacks_what_is_up_and_not_proven_yet(sockets: Path) -> None:
    to, prover = target(sockets / "s"), FakeProver(hold=asyncio.Event())
    async with serving(Backend(), sockets / "s"), following(to, prover=prover) as registry:
        await until(lambda: prover.waiting > 0)
        assert registry.missing() == {"services": "calculator: its probes are being answered"}
        assert prover.hold is not None
        prover.hold.set()
        await until(lambda: registry.missing() == {})
        assert to.state is State.READY
        # What comes later is no reason to take a gateway away.
        registry.put([to, replace(target(sockets / "t"), config=to.config.model_copy(update={"name": "other"}))])
        assert registry.missing() == {}


async def test_a_gateway_does_not_wait_for_what_is_not_there(sockets: Path) -> None:
    async with following(target(sockets / "s")) as registry:
        assert registry.missing() != {}
        await until(lambda: registry.missing() == {})


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


def anew(to: Target, **changes: Any) -> Target:
    """The same service from another reading of its configuration, changed or not."""
    return replace(to, state=State.STARTING, reason="", description=None, calls=0, **changes)


def elsewhere(to: Target, path: Path) -> Target:
    return anew(to, socket=str(path))


async def test_what_is_configured_as_before_stays(sockets: Path) -> None:
    to = target(sockets / "s")
    async with serving(Backend(), sockets / "s"), following(to) as registry:
        await until(lambda: to.state is State.READY)
        assert registry.put([anew(to)]) == Changes()
        assert registry.get("calculator") is to
        assert (registry.coming("calculator"), registry.leaving) == (None, ())


async def test_a_new_instance_takes_over_when_it_is_ready(sockets: Path) -> None:
    old, backend = target(sockets / "s"), Backend()
    new = elsewhere(old, sockets / "new")
    await backend.set(False)
    async with serving(Backend(), sockets / "s"), serving(backend, sockets / "new"), following(old) as registry:
        await until(lambda: old.state is State.READY)
        assert registry.put([new]) == Changes(changed=("calculator",))
        await until(lambda: "not serving" in new.reason)
        assert (registry.get("calculator"), registry.coming("calculator")) == (old, new)
        assert registry.put([anew(new)]) == Changes(), "it is coming already"
        await backend.set(True)
        await until(lambda: registry.get("calculator") is new)
        assert new.state is State.READY
        assert registry.coming("calculator") is None
        assert registry.all() == (new,)
        await until(lambda: not registry.leaving)


async def test_a_version_that_does_not_start_leaves_the_old_one_serving(sockets: Path) -> None:
    old, broken, mended = target(sockets / "s"), Backend(), Backend()
    broken.cause = {"cause": "ImportError: no module named tool"}
    await broken.set(False)
    async with serving(Backend(), sockets / "s"), serving(broken, sockets / "b"), following(old) as registry:
        await until(lambda: old.state is State.READY)
        registry.put([elsewhere(old, sockets / "b")])
        coming = registry.coming("calculator")
        assert coming is not None
        await until(lambda: coming.state is State.NOT_READY)
        assert coming.reason == "ImportError: no module named tool"
        assert registry.get("calculator") is old
        new = elsewhere(old, sockets / "m")
        registry.put([new])
        async with serving(mended, sockets / "m"):
            await until(lambda: registry.get("calculator") is new)
            await until(lambda: not registry.leaving)


async def test_what_is_taken_back_before_it_is_ready_never_was(sockets: Path) -> None:
    old = target(sockets / "s")
    async with serving(Backend(), sockets / "s"), following(old) as registry:
        await until(lambda: old.state is State.READY)
        registry.put([elsewhere(old, sockets / "nowhere")])
        assert registry.put([anew(old)]) == Changes(changed=("calculator",))
        assert (registry.get("calculator"), registry.coming("calculator")) == (old, None)
        assert old.state is State.READY


async def test_a_service_that_is_not_ready_is_replaced_at_once(sockets: Path) -> None:
    old = target(sockets / "s")
    new = elsewhere(old, sockets / "new")
    async with following(old) as registry:
        await until(lambda: "nothing answers" in old.reason)
        registry.put([new])
        assert registry.get("calculator") is new


async def test_an_old_one_that_fails_is_replaced_by_what_is_coming(sockets: Path) -> None:
    backend, old = Backend(), target(sockets / "s")
    new = elsewhere(old, sockets / "nowhere")
    async with serving(backend, sockets / "s"), following(old) as registry:
        await until(lambda: old.state is State.READY)
        registry.put([new])
        assert registry.get("calculator") is old
        await backend.set(False)
        await until(lambda: registry.get("calculator") is new)
        await until(lambda: new.reason.startswith("nothing answers"))


async def test_a_changed_limit_needs_no_new_process(sockets: Path) -> None:
    old = target(sockets / "s")
    new = target(sockets / "s", Limits(concurrency=1))
    async with serving(Backend(), sockets / "s"), following(old) as registry:
        await until(lambda: old.state is State.READY)
        assert registry.put([new]) == Changes(changed=("calculator",))
        await until(lambda: registry.get("calculator") is new)
        assert new.state is State.READY


async def test_services_are_added_and_removed(sockets: Path) -> None:
    one = target(sockets / "s")
    two = anew(one, config=one.config.model_copy(update={"name": "another"}), identity="service:another")
    async with serving(Backend(), sockets / "s"), following(one) as registry:
        assert registry.put([one, two]) == Changes(added=("another",))
        assert registry.all() == (two, one)
        await until(lambda: two.state is State.READY)
        assert registry.put([two]) == Changes(removed=("calculator",))
        assert registry.get("calculator") is None
        assert registry.all() == (two,)


async def test_what_is_replaced_stays_connected_until_its_last_call_has_ended(sockets: Path) -> None:
    old = target(sockets / "s")
    retired: list[Target] = []
    upstream = GrpcUpstream(asyncio.get_running_loop().time)

    async def retire(gone: Target) -> None:
        retired.append(gone)
        await upstream.retire(gone)

    registry = Registry([old], upstream.channel, retire, pace())
    task = asyncio.ensure_future(registry.run(FakeProver()))
    async with serving(Backend(), sockets / "s"):
        await until(lambda: old.state is State.READY)
        channel = upstream.channel(old)
        old.calls = 1
        registry.put([])
        assert registry.leaving == (old,)
        assert registry.identities["service:calculator"] == "calculator", "its calls make calls still"
        spare = target(sockets / "spare")
        registry.put([spare])
        registry.put([])
        await until(lambda: spare in retired)
        assert registry.leaving == (old,)
        assert upstream.channel(old) is channel
        old.calls = 0
        await until(lambda: old in retired)
        assert (registry.leaving, dict(registry.identities)) == ((), {})
        await until(lambda: upstream.channel(old) is not channel)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await upstream.close()


def routed(socket: Path, health: str) -> Target:
    config = RouteConfig.model_validate(
        {"name": "shop", "address": f"unix:{socket}", "methods": ["shop.v1.Stock/*"], "health": health}
    )
    return Target(config, config.address, "", routed=RoutedService(config))


async def test_a_routed_service_without_health_counts_as_ready(sockets: Path) -> None:
    to = routed(sockets / "nowhere", "none")
    async with following(to) as registry:
        await until(lambda: to.state is State.READY)
        assert to.description is not None
        assert (to.description.name, to.description.schema) == ("shop", None)
        assert registry.method("/shop.v1.Stock/Count") is not None
        assert dict(registry.identities) == {}


async def test_a_routed_service_with_health_is_followed_and_not_described(sockets: Path) -> None:
    backend, to = Backend(), routed(sockets / "s", "grpc")
    await backend.set(False)
    async with serving(backend, sockets / "s"), following(to):
        await until(lambda: to.reason == "the service reports that it is not serving")
        await backend.set(True)
        await until(lambda: to.state is State.READY)
        assert to.description is not None
        assert backend.describes == 0
        await backend.set(False)
        await until(lambda: to.state is State.NOT_READY)
