"""Bearer tokens: the good ones, and every way we know to make a bad one pass."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from gateway.errors import CallError, Code, Reason
from tests.unit.gateway.adapters.identity.world import (
    SERVICES,
    USERS,
    World,
    bearer,
    call,
    ec_key,
    encode,
    key_set,
    sign,
)


async def refused(world: World, token: str) -> CallError:
    with pytest.raises(CallError) as caught:
        await world.made().authenticator.authenticate(call(bearer(token)))
    assert caught.value.code is Code.UNAUTHENTICATED
    # Nothing of a token may come back in an error, and the library's text, which may quote it, is not chained to it.
    assert all(part not in str(caught.value) for part in token.split(".") if len(part) > 8)
    assert caught.value.__cause__ is None
    return caught.value


async def test_a_user_is_prefix_and_subject_and_starts_a_session(world: World) -> None:
    principal, session = await world.made().authenticator.authenticate(call(bearer(world.user_token())))
    assert (principal.id, principal.issuer, principal.service) == ("user:developer", "users", None)
    assert (session.chain, session.depth, session.parent) == (("user:developer",), 0, None)
    assert len(session.id) == 32


async def test_a_service_is_known_by_its_identity(world: World) -> None:
    told = call(bearer(world.service_token()), method="/firebreak.v1.ToolService/Describe")
    principal, _ = await world.made().authenticator.authenticate(told)
    assert (principal.id, principal.service) == ("service:assistant", "assistant")


async def test_only_configured_claims_are_passed_on(world: World) -> None:
    made = world.made(config=world.config(claims=("role", "absent")))
    token = world.user_token(role=["admin"], secret="x")
    principal, _ = await made.authenticator.authenticate(call(bearer(token)))
    assert principal.claims == {"role": ["admin"]}


@pytest.mark.parametrize(
    ("alg", "make"),
    [
        ("RS256", lambda: RSAKey.generate_key(2048, {"kid": "k"})),
        ("Ed25519", lambda: OKPKey.generate_key("Ed25519", {"kid": "k"})),
        ("EdDSA", lambda: OKPKey.generate_key("Ed25519", {"kid": "k"})),
    ],
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_every_allowed_algorithm_verifies(world: World, alg: str, make: Callable[[], Any]) -> None:
    key = make()
    world.users_file.write_bytes(key_set(key))
    token = sign({"alg": alg, "kid": "k"}, world.claims(), key)
    principal, _ = await world.made().authenticator.authenticate(call(bearer(token)))
    assert principal.id == "user:developer"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, [], {}, 0])
async def test_unsigned_tokens_are_refused(world: World, alg: object) -> None:
    token = f"{encode({'alg': alg, 'kid': 'users-1'})}.{encode(world.claims())}."
    assert (await refused(world, token)).reason is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize("form", ["pem", "jwk", "x"])
async def test_a_shared_secret_made_of_the_public_key_is_refused(world: World, form: str) -> None:
    public = world.users_key.as_dict(private=False)
    secret = {"pem": world.users_key.as_pem(), "jwk": json.dumps(public).encode(), "x": str(public["x"]).encode()}[form]
    # Signed by hand, as joserfc would rather not: an attacker is not that polite.

    signed = f"{encode({'alg': 'HS256', 'kid': 'users-1'})}.{encode(world.claims())}"
    token = f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
    assert "algorithm" in (await refused(world, token)).message


async def test_a_symmetric_key_in_a_key_set_is_no_key(world: World) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared"})
    keys = json.loads(key_set(world.users_key))
    world.users_file.write_text(json.dumps({"keys": [*keys["keys"], secret.as_dict()]}))
    await refused(world, sign({"alg": "HS256", "kid": "shared"}, world.claims(), secret))
    await world.made().authenticator.authenticate(call(bearer(world.user_token())))


async def test_an_algorithm_that_does_not_fit_the_key_is_refused(world: World) -> None:
    rsa = RSAKey.generate_key(2048)
    await refused(world, sign({"alg": "RS256", "kid": "users-1"}, world.claims(), rsa))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "someone-else"},
        {"aud": ["a", "b"]},
        {"aud": []},
        {"aud": None},
        {"aud": "Firebreak"},
        {"aud": {"firebreak": 1}},
        {"iss": "https://users.test/"},
        {"iss": "https://evil.test"},
        {"iss": None},
        {"iss": [USERS]},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\nb"},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"iat": 9999999999},
        {"nbf": 9999999999},
        {"nbf": "now"},
    ],
)
async def test_wrong_claims_are_refused(world: World, changes: dict[str, Any]) -> None:
    claims = {**world.claims(), **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    token = sign({"alg": "ES256", "kid": "users-1"}, claims, world.users_key)
    assert (await refused(world, token)).reason is Reason.CREDENTIALS_INVALID


async def test_an_audience_among_others_counts(world: World) -> None:
    await world.made().authenticator.authenticate(call(bearer(world.user_token(aud=["other", "firebreak"]))))


@pytest.mark.parametrize(
    "raw", [b'{"exp":NaN}', b'{"exp":Infinity}', b"[]", b"null", b'"x"', b"\xff\xfe", b"", b'{"a":"\\ud800"}']
)
async def test_a_signed_payload_that_is_no_plain_object_is_refused(world: World, raw: bytes) -> None:
    await refused(world, sign({"alg": "ES256", "kid": "users-1"}, raw, world.users_key))


async def test_times_count_to_the_leeway_and_not_beyond(world: World) -> None:
    made = world.made(config=world.config(leeway="5s"))
    token = world.user_token(nbf=int(world.time.unix) + 5)
    await made.authenticator.authenticate(call(bearer(token)))
    world.time.pass_by(3604.9)
    await made.authenticator.authenticate(call(bearer(token)))
    world.time.pass_by(0.1)
    with pytest.raises(CallError) as caught:
        await made.authenticator.authenticate(call(bearer(token)))
    assert caught.value.reason is Reason.CREDENTIALS_EXPIRED


async def test_a_token_that_is_not_valid_yet_is_refused(world: World) -> None:
    assert "nbf" in (await refused(world, world.user_token(nbf=int(world.time.unix) + 6))).message


async def test_an_expired_token_that_was_never_seen_is_refused_as_expired(world: World) -> None:
    error = await refused(world, world.user_token(exp=int(world.time.unix) - 60))
    assert error.reason is Reason.CREDENTIALS_EXPIRED


@pytest.mark.parametrize(
    "header", [{"kid": "users-2"}, {"kid": ""}, {"kid": 1}, {"kid": None}, {}, {"kid": "../users-1"}]
)
async def test_unknown_and_missing_key_ids_are_refused(world: World, header: dict[str, Any]) -> None:
    header = {"alg": "ES256", **header}
    signed = f"{encode(header)}.{encode(world.claims())}"
    await refused(world, f"{signed}.{world.user_token().rsplit('.', 1)[1]}")


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"b64": True},
        {"typ": 5},
        {"x5u": "file:///etc/passwd"},
        {"x5c": 3},
    ],
)
async def test_headers_that_change_the_rules_are_refused(world: World, extra: dict[str, Any]) -> None:
    good = world.user_token().split(".")
    header = {"alg": "ES256", "kid": "users-1", **extra}
    await refused(world, f"{encode(header)}.{good[1]}.{good[2]}")


@pytest.mark.parametrize(
    "extra", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False}, {"b64": False, "crit": ["b64"]}]
)
async def test_extensions_are_refused_though_the_issuer_signed_them(world: World, extra: dict[str, Any]) -> None:
    # Signed by hand, as joserfc would not write such a token.
    signed = f"{encode({'alg': 'ES256', 'kid': 'users-1', **extra})}.{encode(world.claims())}"
    signature = JWSRegistry.algorithms["ES256"].sign(signed.encode(), world.users_key)
    assert "extensions" in (await refused(world, f"{signed}.{encode(signature)}")).message


async def test_a_key_in_the_token_is_not_used(world: World) -> None:
    own = ec_key("users-1")
    header = {"alg": "ES256", "kid": "users-1", "jwk": own.as_dict(private=False), "jku": "https://evil.test/keys"}
    assert "signature" in (await refused(world, sign(header, world.claims(), own))).message


async def test_a_token_of_another_issuer_with_our_issuers_name_is_refused(world: World) -> None:
    token = sign({"alg": "ES256", "kid": "services-1"}, world.claims(USERS), world.services_key)
    await refused(world, token)


async def test_an_issuers_key_does_not_sign_for_another_issuer(world: World) -> None:
    token = sign({"alg": "ES256", "kid": "users-1"}, world.claims(SERVICES, "assistant"), world.users_key)
    await refused(world, token)


@pytest.mark.parametrize("cut", range(3))
async def test_every_edited_part_is_refused(world: World, cut: int) -> None:
    parts = world.user_token().split(".")
    parts[cut] = parts[cut][:-4] + ("AAAA" if parts[cut][-4:] != "AAAA" else "BBBB")
    await refused(world, ".".join(parts))


@pytest.mark.parametrize("text", ["a", "a.b", "a.b.c", "a.b.c.d.e", "..", "....", "é.é.é", "\ud800.x.y", " ", "=.=.="])
async def test_what_is_no_token_is_refused(world: World, text: str) -> None:
    assert (await refused(world, text)).reason is Reason.CREDENTIALS_INVALID


async def test_an_oversize_token_is_refused_before_it_is_read(world: World) -> None:
    token = world.user_token(padding="x" * 20_000)
    assert "longer than" in (await refused(world, token)).message


@pytest.mark.parametrize("depth", [100, 900, 1020, 2000])
async def test_bottomless_nesting_is_refused(world: World, depth: int) -> None:
    deep = b'{"alg":"ES256","kid":"users-1","x":' + b"[" * depth + b"]" * depth + b"}"
    good = world.user_token().split(".")
    await refused(world, f"{encode(deep)}.{good[1]}.{good[2]}")
    await refused(world, f"{good[0]}.{encode(deep)}.{good[2]}")


async def test_a_verified_token_is_not_verified_again_until_its_issuers_keys_change(world: World) -> None:
    made = world.made()
    token = world.user_token()
    first, _ = await made.authenticator.authenticate(call(bearer(token)))
    assert (await made.authenticator.authenticate(call(bearer(token))))[0] is first


async def test_a_service_that_is_configured_later_is_known_from_then_on(world: World) -> None:
    """By a token that was verified before: as nobody's it could begin sessions of its own, which a service must not."""
    services: dict[str, str] = {}
    made = world.made(services=services)
    told = call(bearer(world.service_token()))
    principal, _ = await made.authenticator.authenticate(told)
    assert principal.service is None
    services["service:assistant"] = "assistant"
    with pytest.raises(CallError) as caught:
        await made.authenticator.authenticate(told)
    assert caught.value.reason is Reason.SESSION_INVALID
    described = call(bearer(world.service_token()), method="/firebreak.v1.ToolService/Describe")
    assert (await made.authenticator.authenticate(described))[0].service == "assistant"
    services["service:assistant"] = "another"
    assert (await made.authenticator.authenticate(described))[0].service == "another"
    services.clear()
    assert (await made.authenticator.authenticate(described))[0].service is None


async def test_memory_of_verified_tokens_is_bounded(world: World) -> None:
    from gateway.adapters.identity.issuers import Issuers
    from gateway.adapters.identity.sources import source

    config = world.config().issuers[0]
    issuers = Issuers([(config, source(config, None, lambda: 0.0))], {}, lambda: world.time.unix, capacity=3)
    first = await issuers.principal(oldest := world.user_token(jti="0"))
    for number in range(1, 4):
        await issuers.principal(world.user_token(jti=str(number)))
    assert len(issuers._known) == 3
    assert await issuers.principal(oldest) is not first


async def test_no_token_is_kept_in_memory(world: World) -> None:
    made = world.made()
    token = world.user_token()
    await made.authenticator.authenticate(call(bearer(token)))
    kept = repr(made.authenticator._issuers._known)
    assert "user:developer" in kept
    assert token not in kept
