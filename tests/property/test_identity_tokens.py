"""Whatever a stranger sends as a token: it is refused as a credential, and never as a fault of the gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.identity.jws import PUBLIC, SHARED, BadTokenError, open_token, verify
from gateway.adapters.identity.keys import BadKeyError, public_keys, shared_key
from gateway.errors import CallError, Code
from tests.unit.gateway.adapters.identity.world import World, bearer, call, ec_key, encode, sign

KEY = ec_key("users-1")
TOKEN = sign({"alg": "ES256", "kid": "users-1"}, {"iss": "x", "sub": "y"}, KEY)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
HEADER_NAMES = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "cty"])
HEADERS = st.dictionaries(HEADER_NAMES, JSON | st.sampled_from(["ES256", "HS256", "none", "users-1"]), max_size=6)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_text_is_opened_but_a_token(text: str) -> None:
    for algorithms in (PUBLIC, SHARED):
        with pytest.raises(BadTokenError):
            open_token(text, algorithms)


@given(HEADERS, JSON)
def test_no_header_makes_a_foreign_signature_good(header: dict[str, Any], claims: Any) -> None:
    token = f"{encode(header)}.{encode(claims)}.{TOKEN.rsplit('.', 1)[1]}"
    with pytest.raises(BadTokenError):
        verify(open_token(token, PUBLIC), KEY, PUBLIC)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_no_changed_character_keeps_a_signature_good(at: int, character: str) -> None:
    changed = TOKEN[:at] + character + TOKEN[at + 1 :]
    if changed == TOKEN:
        verify(open_token(changed, PUBLIC), KEY, PUBLIC)
        return
    with pytest.raises(BadTokenError):
        verify(open_token(changed, PUBLIC), KEY, PUBLIC)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_are_keys_by_accident(raw: bytes) -> None:
    for read in (public_keys, shared_key):
        with pytest.raises(BadKeyError):
            read(raw)


@given(st.dictionaries(st.sampled_from(["kty", "kid", "use", "crv", "x", "y", "n", "e", "k", "d", "alg", "key_ops"]),
                       JSON | st.sampled_from(["EC", "RSA", "OKP", "oct", "P-256", "Ed25519", "sig", "AQAB"])))  # fmt: skip
def test_no_entry_breaks_the_reading_of_keys(entry: dict[str, Any]) -> None:
    for read, raw in ((public_keys, {"keys": [entry]}), (shared_key, entry)):
        try:
            read(json.dumps(raw).encode())  # type: ignore[operator]
        except BadKeyError as error:
            assert str(error)


@settings(max_examples=50, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "validate"]), JSON))
async def test_signed_claims_of_any_shape_are_judged(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    world = World(Path(tmp_path_factory.mktemp("world")))
    token = sign({"alg": "ES256", "kid": "users-1"}, {**world.claims(), **changes}, world.users_key)
    try:
        principal, _ = await world.made().authenticator.authenticate(call(bearer(token)))
        assert principal.id.startswith("user:")
    except CallError as error:
        assert error.code is Code.UNAUTHENTICATED
