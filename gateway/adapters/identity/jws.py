"""Compact JWS as untrusted input: taken apart strictly, and verified with one known key and a closed list of algorithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

MAX_TOKEN = 16 * 1024
"""Characters of a token; a longer one is refused before it is looked at."""


class BadTokenError(ValueError):
    """The token cannot be believed. The text says why in words for its holder; it quotes nothing from the token."""


class Algorithms:
    """A closed list of signature algorithms, by their names in a token's header."""

    def __init__(self, *names: str) -> None:
        # joserfc's registry itself would warn on each use of "EdDSA", the older name of Ed25519 that issuers still write.
        self._models = {name: JWSRegistry.algorithms[name] for name in names}
        self.names = ", ".join(names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._models

    def good(self, name: str, key: Key, signed: bytes, signature: bytes) -> bool:
        """Whether `signature` over `signed` was made with algorithm `name` and `key`; raises JoseError if they do not fit."""
        model = self._models[name]
        model.check_key(key)
        return model.verify(signed, signature, key)


PUBLIC = Algorithms("ES256", "RS256", "EdDSA", "Ed25519")
"""What issuers may sign with: public keys only, so that a published key can never pass for a shared secret."""
SHARED = Algorithms("HS256")
"""What session tokens are signed with."""
_SIGNING = JWSRegistry(algorithms=["HS256"])


@dataclass(frozen=True, slots=True)
class Opened:
    """A token taken apart and NOT verified: `kid` and `claims` only help to find the key that it must verify with."""

    alg: str
    kid: str
    typ: str
    claims: dict[str, Any] = field(repr=False)
    token: str = field(repr=False)


def open_token(token: str, algorithms: Algorithms) -> Opened:
    """Takes `token` apart; raises BadTokenError unless it could be verified with one of `algorithms`."""
    if len(token) > MAX_TOKEN:
        raise BadTokenError(f"it is longer than {MAX_TOKEN} characters")
    parts = token.split(".")
    if len(parts) != 3:
        raise BadTokenError("it is no signed JWT (three parts with dots between them)")
    header = _json_object(parts[0], "header")
    if header.get("alg") not in algorithms:
        raise BadTokenError(f"its algorithm is not one of {algorithms.names}")
    if "crit" in header or "b64" in header:
        raise BadTokenError("its header asks for extensions that are not supported")
    kid, typ = header.get("kid"), header.get("typ", "")
    if not isinstance(kid, str) or not kid or not isinstance(typ, str):
        raise BadTokenError("its header names no key (kid)")
    return Opened(header["alg"], kid, typ, _json_object(parts[1], "payload"), token)


def verify(opened: Opened, key: Key, algorithms: Algorithms) -> None:
    """Raises BadTokenError unless `key` signed the token, with an algorithm that is allowed and fits the key."""
    signed, _, signature = opened.token.rpartition(".")
    try:
        good = algorithms.good(opened.alg, key, signed.encode("ascii"), urlsafe_b64decode(signature.encode("ascii")))
    except (JoseError, ValueError):
        good = False
    if not good:
        raise BadTokenError("its signature does not fit its issuer's key")


def sign(typ: str, kid: str, claims: Mapping[str, Any], key: Key) -> str:
    """A compact JWS of `claims`, signed with the shared secret `key`."""
    return jws.serialize_compact({"alg": "HS256", "kid": kid, "typ": typ}, orjson.dumps(claims), key, registry=_SIGNING)


def _json_object(segment: str, what: str) -> dict[str, Any]:
    # orjson and not the standard parser: it refuses NaN, lone surrogates and bottomless nesting.
    try:
        value = orjson.loads(urlsafe_b64decode(segment.encode("ascii")))
    except ValueError:
        raise BadTokenError(f"its {what} is not base64url of JSON") from None
    if not isinstance(value, dict):
        raise BadTokenError(f"its {what} is no JSON object")
    return value
