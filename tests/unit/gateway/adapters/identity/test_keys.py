"""Key sets and keys as files: what is taken, what is passed over, what is refused, and that no key shows in an error."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.adapters.identity.keys import BadKeyError, public_keys, shared_key
from tests.unit.gateway.adapters.identity.world import ec_key, key_set

GOOD = json.loads(key_set(ec_key("good")))["keys"][0]


def as_set(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_every_usable_key_is_taken_by_its_key_id() -> None:
    rsa, ed = RSAKey.generate_key(2048, {"kid": "r"}), OKPKey.generate_key("Ed25519", {"kid": "e"})
    assert public_keys(key_set(ec_key("a"), rsa, ed)).keys() == {"a", "r", "e"}


@pytest.mark.parametrize(
    "other",
    [
        {**GOOD, "use": "enc"},
        {"kty": "AKP", "kid": "post-quantum", "pub": "x"},
        {"kty": "oct", "kid": "shared", "k": "x" * 43},
        {**GOOD, "crv": "P-521"},
        {"kty": "OKP", "crv": "X25519", "kid": "x", "x": "x"},
        {"kid": "no type"},
    ],
)
def test_keys_for_other_ends_are_passed_over(other: dict[str, str]) -> None:
    assert public_keys(as_set(other, GOOD)).keys() == {"good"}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"),
        (key_set(ec_key("half"))[:-20], "not JSON"),
        (b"\x00\xff", "not JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no list"),
        (b'{"keys": {}}', "no list"),
        (as_set(), "no key for"),
        (as_set({"kty": "oct", "kid": "x", "k": "x" * 43}), "no key for"),
        (as_set(GOOD, 7), "key 1 is no JSON object"),
        (as_set(GOOD, GOOD), "kid of an earlier key"),
        (as_set({**GOOD, "kid": None}), "no key id"),
        (as_set({**GOOD, "kid": "a\nb"}), "no key id"),
        (as_set({**GOOD, "x": "AAAA"}), "malformed"),
        (as_set({**GOOD, "x": 5}), "malformed"),
        (as_set({key: value for key, value in GOOD.items() if key != "y"}), "malformed"),
        (as_set({"kty": "OKP", "crv": "Ed25519", "kid": "x", "x": "AA"}), "malformed"),
        (as_set({"kty": "RSA", "kid": "x", "n": "AQAB", "e": "AQAB"}), "malformed"),
        (as_set({"kty": "RSA", "kid": "x", "n": "_" * 2000, "e": "AQAB"}), "malformed"),
        (as_set({**GOOD, "use": 5}), "no key for"),
    ],
)
def test_a_bad_set_is_refused_as_a_whole(raw: bytes, why: str) -> None:
    with pytest.raises(BadKeyError, match=why):
        public_keys(raw)


@pytest.mark.parametrize("key", [ec_key("p"), OKPKey.generate_key("Ed25519", {"kid": "p"})])
def test_a_private_key_in_a_published_set_is_refused_and_not_repeated(key: ECKey | OKPKey) -> None:
    private = key.as_dict(private=True)
    with pytest.raises(BadKeyError, match="private key") as caught:
        public_keys(as_set(private))
    assert str(private["d"]) not in repr(caught.value)


def test_a_shared_key_is_taken_with_its_key_id() -> None:
    key = OctKey.generate_key(256, {"kid": "k", "use": "sig", "alg": "HS256"})
    assert shared_key(json.dumps(key.as_dict()).encode())[0] == "k"


@pytest.mark.parametrize(
    "change",
    [
        {"k": "c2hvcnQ"},
        {"k": ""},
        {"k": None},
        {"k": 5},
        {"k": "é" * 50},
        {"k": "+" * 50},
        {"kid": ""},
        {"kid": None},
        {"kid": "x" * 257},
        {"kty": "EC"},
        {"alg": "HS512"},
        {"use": "enc"},
    ],
)
def test_a_bad_shared_key_is_refused_and_not_repeated(change: dict[str, Any]) -> None:
    good = OctKey.generate_key(256, {"kid": "k"}).as_dict()
    raw = json.dumps({**good, **change}).encode()
    with pytest.raises(BadKeyError) as caught:
        shared_key(raw)
    assert str(good["k"]) not in repr(caught.value)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_what_is_no_key_is_refused(raw: bytes) -> None:
    with pytest.raises(BadKeyError):
        shared_key(raw)


def test_a_public_key_is_no_shared_secret() -> None:
    with pytest.raises(BadKeyError):
        shared_key(ec_key("x").as_pem())
    pem = base64.urlsafe_b64encode(ec_key("x").as_pem()).rstrip(b"=").decode()
    with pytest.raises(BadKeyError, match="not usable"):
        shared_key(json.dumps({"kty": "oct", "kid": "x", "k": pem}).encode())
