"""Forged, missing and expired credentials are tried on the authenticator in force; one that believes them is found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey, RSAKey

from gateway.adapters.identity import MadeIdentity
from gateway.adapters.identity.jws import PUBLIC, open_token
from gateway.adapters.identity.refusals import Refusals
from gateway.call import Call, Principal, Session
from gateway.config import Identity
from gateway.errors import CallError, Reason
from gateway.proof import Promise, Promises, Verdict
from tests.unit.gateway.adapters.identity.world import ACCEPT, SERVICES, USERS, World, key_set

NAMES = [
    "credentials:none",
    "credentials:garbage",
    "credentials:forged-users",
    "credentials:forged-services",
    "session:expired",
    "session:ended",
]


class Sees:
    """An authenticator that does what the one in force does, or what it is told to, and keeps what it was shown."""

    def __init__(self, made: MadeIdentity, outcome: CallError | Principal | None = None) -> None:
        self._made = made
        self._outcome = outcome
        self.tokens: list[str] = []

    async def authenticate(self, call: Call) -> tuple[Principal, Session]:
        self.tokens += [str(value).removeprefix("Bearer ") for _, value in call.metadata]
        if isinstance(self._outcome, CallError):
            raise self._outcome
        if self._outcome is not None:
            return self._outcome, Session("s", (self._outcome.id,))
        return await self._made.authenticator.authenticate(call)


def refusals(world: World, seen: Sees | None = None, config: Identity | None = None, sessions: Any = None) -> Refusals:
    made = world.made(config=config)
    numbers = iter(range(1_000_000))
    return Refusals(
        seen or made.authenticator,
        sessions or made.sessions,
        config or world.config(),
        ACCEPT,
        lambda: f"{next(numbers):032x}",
        lambda: world.time.monotonic,
        lambda: world.time.unix,
    )


def by_name(promises: Promises) -> dict[str, Promise]:
    return {promise.name: promise for promise in promises}


async def test_the_authenticator_in_force_refuses_all_of_them(tmp_path: Path) -> None:
    assert await refusals(World(tmp_path)).prove() == tuple(Promise(name, Verdict.HELD) for name in NAMES)


async def test_what_is_forged_lacks_nothing_but_the_key(tmp_path: Path) -> None:
    """So it is the signature that refuses it: signed with the issuer's own key the same token is believed."""
    world = World(tmp_path)
    seen = Sees(world.made())
    await refusals(world, seen).prove()
    opened = [open_token(token, PUBLIC) for token in seen.tokens if token.count(".") == 2]
    users = next(each for each in opened if each.claims["iss"] == USERS)
    assert (users.kid, users.alg) == (world.users_key.kid, "ES256")
    good = world.user_token(**{**users.claims, "nbf": None})
    bearer = (("authorization", f"Bearer {good}"),)
    principal, _ = await world.made().authenticator.authenticate(refusals(world)._call("jwt", bearer))
    assert principal.id == "user:forged"
    assert {each.claims["iss"] for each in opened} == {USERS, SERVICES}


@pytest.mark.parametrize("key", [RSAKey.generate_key(2048, {"kid": "r"}), OKPKey.generate_key("Ed25519", {"kid": "o"})])
async def test_it_is_signed_as_the_issuers_own_are(tmp_path: Path, key: Any) -> None:
    world = World(tmp_path)
    world.users_file.write_bytes(key_set(key))
    seen = Sees(world.made())
    found = by_name(await refusals(world, seen).prove())
    assert found["credentials:forged-users"].verdict is Verdict.HELD
    kids = {open_token(token, PUBLIC).kid for token in seen.tokens if token.count(".") == 2}
    assert json.loads(key_set(key))["keys"][0]["kid"] in kids


async def test_an_issuer_whose_keys_are_elsewhere_is_tried_as_well(tmp_path: Path) -> None:
    world = World(tmp_path)
    found = by_name(await refusals(world, config=world.config(jwks=str(tmp_path / "none.json"))).prove())
    assert found["credentials:forged-users"].verdict is Verdict.HELD


async def test_one_that_believes_everything_is_found_out(tmp_path: Path) -> None:
    world = World(tmp_path)
    found = by_name(await refusals(world, Sees(world.made(), Principal("user:eve", "users"))).prove())
    broken = [name for name, promise in found.items() if promise.verdict is Verdict.BROKEN]
    assert broken == NAMES[:4]
    assert "the listener jwt takes them for user:eve" in found["credentials:none"].detail


async def test_one_that_cannot_judge_proves_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    found = by_name(await refusals(world, Sees(world.made(), CallError(Reason.INTERNAL, "a bug"))).prove())
    assert found["credentials:garbage"].verdict is Verdict.UNKNOWN


async def test_sessions_without_an_end_are_found_out(tmp_path: Path) -> None:
    class Believes:
        def issue(self, call: Call) -> str:
            return "token"

        def session(self, call: Call, principal: Principal, token: str | None) -> Session:
            return Session("s", (principal.id,))

    found = by_name(await refusals(World(tmp_path), sessions=Believes()).prove())
    assert found["session:expired"].verdict is found["session:ended"].verdict is Verdict.BROKEN
