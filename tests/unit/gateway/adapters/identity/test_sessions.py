"""Session tokens: what a service can do with the one it was given, and all that it cannot."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

import pytest

from gateway.adapters.identity.jws import sign as sign_session
from gateway.call import Metadata, Session
from gateway.errors import CallError, Code, Reason
from tests.unit.gateway.adapters.identity.world import DESCRIBE, World, bearer, call, encode, session_key, sign, target

PARENT = "a" * 32
TYPE = "firebreak-session+jwt"


def issued(world: World, *, instance: str = "gateway-1", deadline: float = 1030.0, to: str = "assistant") -> str:
    """The token that service `to` gets with a user's call PARENT, which runs."""
    world.in_flight.add(PARENT)
    told = call(call_id=PARENT, deadline=deadline, session=Session("5" * 32, ("user:developer",)), to=target(to))
    return world.made(instance).sessions.issue(told)


def with_session(world: World, token: str, *, service: str = "assistant") -> Metadata:
    return bearer(world.service_token(service), ("firebreak-session", token))


async def refused(world: World, metadata: Metadata, **how: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        await world.made().authenticator.authenticate(call(metadata, **how))
    error = caught.value
    assert (error.reason, error.code) == (Reason.SESSION_INVALID, Code.UNAUTHENTICATED)
    sent = str(dict(metadata).get("firebreak-session", ""))
    assert all(part not in error.message for part in sent.split(".") if len(part) > 8)
    return error


async def test_a_child_call_is_one_deeper_in_the_same_session(world: World) -> None:
    metadata = with_session(world, issued(world))
    principal, session = await world.made().authenticator.authenticate(call(metadata))
    assert principal.id == "service:assistant"
    assert session == Session("5" * 32, ("user:developer", "service:assistant"), PARENT, 1, 1030.0)


async def test_a_grandchild_call_has_the_whole_chain(world: World) -> None:
    made = world.made()
    _, session = await made.authenticator.authenticate(call(with_session(world, issued(world))))
    world.in_flight.add("b" * 32)
    child = call(call_id="b" * 32, session=session, to=target("calculator"))
    metadata = with_session(world, made.sessions.issue(child), service="calculator")
    _, deeper = await made.authenticator.authenticate(call(metadata))
    assert deeper.chain == ("user:developer", "service:assistant", "service:calculator")
    assert (deeper.depth, deeper.parent) == (2, "b" * 32)


async def test_a_service_without_session_may_describe_and_nothing_else(world: World) -> None:
    metadata = bearer(world.service_token())
    _, session = await world.made().authenticator.authenticate(call(metadata, method=DESCRIBE))
    assert session.chain == ("service:assistant",)
    assert "session token that it was called with" in (await refused(world, metadata)).message


async def test_a_session_replayed_by_another_service_is_refused(world: World) -> None:
    metadata = with_session(world, issued(world), service="calculator")
    assert "another service" in (await refused(world, metadata)).message


async def test_a_session_replayed_by_a_user_is_refused(world: World) -> None:
    await refused(world, bearer(world.user_token(), ("firebreak-session", issued(world))))


async def test_a_session_of_an_ended_parent_is_refused(world: World) -> None:
    metadata = with_session(world, issued(world))
    await world.made().authenticator.authenticate(call(metadata))
    world.in_flight.clear()
    assert "has ended" in (await refused(world, metadata)).message


async def test_a_session_does_not_outlive_its_parents_deadline(world: World) -> None:
    metadata = with_session(world, issued(world, deadline=1010.0))
    world.time.pass_by(9.9)
    await world.made().authenticator.authenticate(call(metadata))
    world.time.pass_by(0.1)
    assert "deadline" in (await refused(world, metadata)).message


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
async def test_a_set_wall_clock_does_not_move_a_running_session(world: World, jump: float) -> None:
    token = issued(world)
    world.time.unix += jump
    metadata = with_session(world, token)
    _, session = await world.made().authenticator.authenticate(call(metadata))
    assert session.expires_at == 1030.0
    world.time.monotonic += 30.0
    await refused(world, metadata)


async def test_another_gateways_session_counts_until_its_deadline_by_the_wall_clock(world: World) -> None:
    metadata = with_session(world, issued(world, instance="gateway-2", deadline=1010.0))
    world.in_flight.clear()
    world.time.monotonic += 500.0  # its monotonic clock means nothing here
    _, session = await world.made().authenticator.authenticate(call(metadata))
    assert session.expires_at == pytest.approx(1510.0)
    world.time.pass_by(10.0)
    await refused(world, metadata)


async def test_widened_claims_are_refused(world: World) -> None:
    header, payload, signature = issued(world).split(".")
    good = json.loads(base64.urlsafe_b64decode(payload + "=="))
    widened: dict[str, object] = {
        "chain": [],
        "depth": 0,
        "exp": good["exp"] + 3600,
        "end": good["end"] + 3600,
        "sub": "service:calculator",
        "parent": "c" * 32,
        "iss": "gateway-2",
        "sid": "6" * 32,
    }
    assert set(widened) == set(good), "every claim is tried"
    for name, value in widened.items():
        edited = f"{header}.{encode({**good, name: value})}.{signature}"
        for service in ("assistant", "calculator"):
            await refused(world, with_session(world, edited, service=service))


def forged(world: World, key: Any = None, **changes: Any) -> str:
    now = world.time
    claims = {
        "iss": "gateway-1", "sub": "service:assistant", "sid": "5" * 32, "parent": PARENT, "chain": ["user:developer"],
        "depth": 1, "exp": now.unix + 30, "end": now.monotonic + 30, **changes,
    }  # fmt: skip
    return sign_session(TYPE, "s-1", claims, key or world.session_key)


async def test_a_forged_session_is_refused(world: World, tmp_path: Any) -> None:
    (tmp_path / "attacker").mkdir()
    world.in_flight.add(PARENT)
    await world.made().authenticator.authenticate(call(with_session(world, forged(world))))
    other = session_key(tmp_path / "attacker", "s-1")
    assert "signature" in (await refused(world, with_session(world, forged(world, other)))).message


@pytest.mark.parametrize("alg", ["none", "ES256", "HS512"])
async def test_a_session_signed_in_another_way_is_refused(world: World, alg: str) -> None:
    _, payload, signature = issued(world).split(".")
    token = f"{encode({'alg': alg, 'kid': 's-1', 'typ': TYPE})}.{payload}.{'' if alg == 'none' else signature}"
    await refused(world, with_session(world, token))


async def test_a_users_or_services_own_token_is_no_session(world: World) -> None:
    await refused(world, with_session(world, world.service_token()))


async def test_another_kind_of_token_of_the_same_key_is_no_session(world: World) -> None:
    claims = json.loads(base64.urlsafe_b64decode(issued(world).split(".")[1] + "=="))
    await refused(world, with_session(world, sign({"alg": "HS256", "kid": "s-1"}, claims, world.session_key)))


@pytest.mark.parametrize(
    "changes", [{"end": "soon"}, {"end": None}, {"depth": "deep"}, {"chain": 7}, {"iss": "x", "exp": "?"}]
)
async def test_a_session_in_a_strange_format_is_refused(world: World, changes: dict[str, Any]) -> None:
    world.in_flight.add(PARENT)
    assert "format" in (await refused(world, with_session(world, forged(world, **changes)))).message


@pytest.mark.parametrize("token", ["", " ", "a.b.c", "x" * 20_000])
async def test_what_is_no_session_token_is_refused(world: World, token: str) -> None:
    await refused(world, with_session(world, token))


async def test_two_session_headers_are_refused(world: World) -> None:
    token = issued(world)
    await refused(world, (*with_session(world, token), ("firebreak-session", token)))


async def test_a_session_of_a_retired_key_is_refused(world: World) -> None:
    made = world.made()
    token = issued(world)
    session_key(world.session_folder, "s-2")
    (world.session_folder / "s-1.json").unlink()
    made.sessions._keys.scan()
    with pytest.raises(CallError, match="no longer in force"):
        await made.authenticator.authenticate(call(with_session(world, token)))


async def test_a_session_of_a_key_that_only_another_gateway_has_seen_is_good(world: World) -> None:
    made = world.made()
    session_key(world.session_folder, "s-2")
    token = issued(world, instance="gateway-2")
    _, session = await made.authenticator.authenticate(call(with_session(world, token)))
    assert session.depth == 1


@pytest.mark.parametrize("missing", ["target", "session", "deadline"])
def test_a_token_is_not_issued_without_bounds(world: World, missing: str) -> None:
    told = call(
        session=None if missing == "session" else Session("5" * 32, ("user:developer",)),
        to=None if missing == "target" else target(),
        deadline=float("inf") if missing == "deadline" else 1030.0,
    )
    with pytest.raises(ValueError, match="needs a target"):
        world.made().sessions.issue(told)


async def test_session_keys_rotate_under_load_without_a_refused_call(world: World) -> None:
    made = world.made()
    world.in_flight.add(PARENT)
    told = call(call_id=PARENT, session=Session("5" * 32, ("user:developer",)), to=target())
    tokens = [made.sessions.issue(told)]
    kids = ["s-1", *(f"s-{turn}" for turn in range(11, 30))]
    for old, new in pairwise(kids):
        session_key(world.session_folder, new)
        made.sessions._keys.scan()
        tokens.append(made.sessions.issue(told))
        for token in tokens[-2:]:
            await made.authenticator.authenticate(call(with_session(world, token)))
        (world.session_folder / f"{old}.json").unlink()
    assert len({token.split(".")[0] for token in tokens}) == len(tokens), "each by its own key"
