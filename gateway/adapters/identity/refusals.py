"""Credentials that must be refused, shown to the authenticator in force: that it refuses them is proven, not supposed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from gateway.adapters.identity.keys import BadKeyError, public_keys
from gateway.adapters.identity.sessions import HEADER, Sessions
from gateway.call import Call, Facts, Metadata, Peer, Principal, Session
from gateway.config import PROBE, Effect, Identity, Issuer, ServiceConfig
from gateway.core.deadline import NEVER, Deadline
from gateway.errors import CallError, Code
from gateway.ports import Authenticator, Clock
from gateway.proof import Promise, Promises, Verdict
from gateway.routes import METHODS, Kind
from gateway.targets import Target

_METHOD = METHODS["/firebreak.v1.ToolService/Call"]
_LIFE = 60.0
_MAKERS: Mapping[str, tuple[str, Callable[[], Key]]] = {
    "EC": ("ES256", lambda: ECKey.generate_key("P-256")),
    "OKP": ("Ed25519", lambda: OKPKey.generate_key("Ed25519")),
    "RSA": ("RS256", lambda: RSAKey.generate_key(2048)),
}


class Refusals:
    """Tries forged, missing and expired credentials on every listener."""

    def __init__(
        self,
        authenticator: Authenticator,
        sessions: Sessions,
        config: Identity,
        accept: Mapping[str, tuple[str, ...]],
        new_id: Callable[[], str],
        clock: Clock,
        wall: Clock,
    ) -> None:
        """`accept` are the credentials that count by name of the listener; `wall` is Unix time."""
        self._authenticator = authenticator
        self._sessions = sessions
        self._config = config
        self._accept = accept
        self._new_id = new_id
        self._clock = clock
        self._wall = wall
        self._keys: dict[str, Key] = {}

    async def prove(self) -> Promises:
        """One promise for each kind of credentials, and for session tokens whose time, or whose call, is over."""
        promises = [
            await self._refused("credentials:none", ()),
            await self._refused("credentials:garbage", _bearer("garbage")),
        ]
        for issuer in self._config.issuers:
            token = await asyncio.to_thread(self._forged, issuer)
            promises.append(await self._refused(f"credentials:forged-{issuer.name}", _bearer(token)))
        return (*promises, self._over("session:expired", -1.0), self._over("session:ended", _LIFE))

    async def _refused(self, name: str, metadata: Metadata) -> Promise:
        for listener in self._accept:
            try:
                principal, _ = await self._authenticator.authenticate(self._call(listener, metadata))
            except CallError as error:
                if error.code is not Code.UNAUTHENTICATED:
                    return Promise(name, Verdict.UNKNOWN, f"the listener {listener} could not judge: {error.message}")
            else:
                return Promise(name, Verdict.BROKEN, f"the listener {listener} takes them for {principal.id}. {_STOP}")
        return Promise(name, Verdict.HELD)

    def _over(self, name: str, seconds: float) -> Promise:
        """A session token of this gateway's own, for a call that ends in so many seconds but does not run any more."""
        until, session = Deadline(self._clock() + seconds), Session(self._new_id(), (PROBE,))
        token = self._sessions.issue(self._call("", ()).narrowed(until, session=session, target=_TARGET))
        call = self._call("", ((HEADER, token),))
        try:
            self._sessions.session(call, Principal(PROBE, "firebreak"), token)
        except CallError:
            return Promise(name, Verdict.HELD)
        return Promise(name, Verdict.BROKEN, f"its token is believed. {_STOP}")

    def _call(self, listener: str, metadata: Metadata) -> Call:
        facts = Facts(started=self._clock())
        return Call(self._new_id(), _METHOD, metadata, b"", NEVER, listener, Peer(), facts)

    def _forged(self, issuer: Issuer) -> str:
        """A token with all that one of `issuer` has, but signed with a key that was made here."""
        kid, kind = _known_key(issuer)
        alg, make = _MAKERS[kind]
        key = self._keys.get(kind) or self._keys.setdefault(kind, make())
        now = self._wall()
        claims = {
            "iss": issuer.issuer,
            "aud": issuer.audience,
            "sub": f"{issuer.subject_prefix}forged",
            "iat": int(now),
            "exp": int(now + _LIFE),
        }
        header = {"alg": alg, "kid": kid}
        return jws.serialize_compact(header, orjson.dumps(claims), key, registry=JWSRegistry(algorithms=[alg]))


def _known_key(issuer: Issuer) -> tuple[str, str]:
    """Id and type of a key that the issuer has, so that the signature is what fails; of one of nobody's if none is known."""
    try:
        kid, key = next(iter(public_keys(Path(issuer.jwks).read_bytes()).items()))
    except (OSError, BadKeyError):
        return "forged", "EC"
    return kid, key.key_type


def _bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


_STOP = "Stop this gateway, and report it"
_TARGET = Target(
    ServiceConfig(name="probe", kind=Kind.TOOL, version="0.0.0", entrypoint="probe:probe", effect=Effect.READ),
    "",
    PROBE,
)
