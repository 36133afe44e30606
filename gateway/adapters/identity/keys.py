"""Keys out of files and answers: strict, all or nothing, and never with key material in an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

PublicKeys = Mapping[str, Key]
"""An issuer's verification keys by key id."""

_KID = re.compile(r"[A-Za-z0-9._:@/+=-]{1,256}")
_SECRET_BYTES = 32
_RSA_BITS = range(2048, 8193)
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


class BadKeyError(ValueError):
    """A key file or answer cannot be used; the text says why and holds no key material."""


def public_keys(raw: bytes) -> PublicKeys:
    """The signature keys of a JWK set (RFC 7517), by key id.

    Keys for encryption and of types that no allowed algorithm takes are passed over. Raises BadKeyError when the set is
    malformed, names a key twice, gives a private key away, or leaves no key.
    """
    entries = _object(raw).get("keys")
    if not isinstance(entries, list):
        raise BadKeyError('it has no list "keys": a JWK set is {"keys": […]}')
    keys: dict[str, Key] = {}
    for number, entry in enumerate(entries):
        found = _public_key(entry, f"key {number}")
        if found is None:
            continue
        if found[0] in keys:
            raise BadKeyError(f"key {number} has the kid of an earlier key")
        keys[found[0]] = found[1]
    if not keys:
        raise BadKeyError("it holds no key for ES256, RS256 or Ed25519 signatures")
    return keys


def shared_key(raw: bytes) -> tuple[str, OctKey]:
    """Key id and key of one symmetric JWK of at least 32 bytes; raises BadKeyError."""
    entry = _object(raw)
    if entry.get("kty") != "oct" or entry.get("alg", "HS256") != "HS256" or entry.get("use", "sig") != "sig":
        raise BadKeyError('it is no JWK with "kty": "oct" for HS256 signatures')
    kid, secret = _kid(entry, "the key"), _decoded(entry.get("k"))
    if len(secret) < _SECRET_BYTES:
        raise BadKeyError(f"its secret is shorter than {_SECRET_BYTES} bytes")
    try:
        return kid, OctKey.import_key({"kty": "oct", "kid": kid, "k": str(entry["k"])})
    except (JoseError, ValueError):
        raise BadKeyError("its secret is not usable") from None


def _public_key(entry: object, where: str) -> tuple[str, Key] | None:
    if not isinstance(entry, dict):
        raise BadKeyError(f"{where} is no JSON object")
    if entry.get("use", "sig") != "sig" or entry.get("kty") not in ("EC", "RSA", "OKP"):
        return None
    if _PRIVATE & entry.keys():
        raise BadKeyError(f"{where} holds a private key: replace that key, and publish the public part only")
    if entry["kty"] != "RSA" and entry.get("crv") not in ("P-256", "Ed25519"):
        return None
    kid = _kid(entry, where)
    try:
        return kid, _import(entry)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise BadKeyError(f"{where} is malformed") from None


def _import(entry: dict[str, Any]) -> Key:
    if entry["kty"] == "RSA":
        # Judged before the import: small keys are forgeable, giant ones stall the gateway.
        bits = int.from_bytes(_decoded(entry.get("n")), "big").bit_length()
        if bits not in _RSA_BITS:
            raise ValueError
        return RSAKey.import_key(entry)
    return ECKey.import_key(entry) if entry["kty"] == "EC" else OKPKey.import_key(entry)


def _kid(entry: Mapping[str, Any], where: str) -> str:
    kid = entry.get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise BadKeyError(f"{where} has no key id (kid) of 1 to 256 plain characters")
    return kid


def _decoded(value: object) -> bytes:
    try:
        return urlsafe_b64decode(value.encode("ascii")) if isinstance(value, str) else b""
    except ValueError:
        return b""


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadKeyError(f"it is not JSON (line {error.lineno}, column {error.colno})") from None
    if not isinstance(value, dict):
        raise BadKeyError("it is no JSON object")
    return value
