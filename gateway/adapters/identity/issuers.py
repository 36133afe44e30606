"""Bearer tokens: from a string that a stranger sent to a principal, or a refusal that says why."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.errors import ClaimError, ExpiredTokenError
from joserfc.jwt import JWTClaimsRegistry

from gateway.adapters.identity.jws import PUBLIC, BadTokenError, Opened, open_token, verify
from gateway.adapters.identity.live_keys import LiveKeys
from gateway.adapters.identity.spiffe import SCHEME
from gateway.call import Principal
from gateway.config import PROBE, Issuer
from gateway.errors import CallError, Reason
from gateway.ports import Clock

_MAX_SUBJECT = 255
_PROBES = PROBE.partition(":")[0] + ":"
_CACHE = 4096
_HINT = "Get a new token from a configured issuer and send it as authorization: Bearer <token>."


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that verified: whose it is, until when (wall seconds), under which generation of its issuer's keys."""

    principal: Principal
    keys: LiveKeys
    generation: int
    ends: float

    def holds(self, now: float, services: Mapping[str, str]) -> bool:
        if self.generation != self.keys.generation or now >= self.ends:
            return False
        # Services come and go: whoever was nobody's may be one by now.
        return self.principal.service == services.get(self.principal.id)


class Issuers:
    """Verifies tokens of the configured issuers, and remembers verified ones until they end or their keys change.

    Tokens are remembered by their hash, so that a dump of the memory holds no credential.
    """

    def __init__(
        self,
        issuers: Sequence[tuple[Issuer, LiveKeys]],
        services: Mapping[str, str],
        wall: Clock,
        capacity: int = _CACHE,
    ) -> None:
        """`services` are names of services by identity, looked up whenever a token comes; `wall` is Unix time.

        Raises ValueError for issuers that clash.
        """
        self._issuers = {issuer.issuer: (issuer, keys) for issuer, keys in issuers}
        prefixes = {issuer.prefix: issuer.issuer for issuer, _ in issuers}
        if len(self._issuers) < len(issuers) or len(prefixes) < len(issuers):
            raise ValueError(
                "two issuers have the same issuer or the same prefix: their principals could not be told apart"
            )
        # Longest first. Certificates own the SPIFFE ids, unless an issuer is given a part of them by its prefix. Nobody who
        # calls owns the principals of probes.
        self._owners = sorted({SCHEME: None, _PROBES: None, **prefixes}.items(), key=lambda owner: -len(owner[0]))
        self._claims = {issuer.issuer: _registry(issuer, wall) for issuer, _ in issuers}
        self._services = services
        self._wall = wall
        self._capacity = capacity
        self._known: dict[bytes, _Known] = {}

    async def principal(self, token: str) -> Principal:
        """Whose token it is. Raises CallError CREDENTIALS_INVALID or CREDENTIALS_EXPIRED."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and known.holds(self._wall(), self._services):
            return known.principal
        self._known.pop(digest, None)
        try:
            known = await self._verified(open_token(token, PUBLIC))
        except BadTokenError as error:
            raise CallError(Reason.CREDENTIALS_INVALID, f"The bearer token was refused: {error}. {_HINT}") from None
        except ExpiredTokenError:
            raise CallError(Reason.CREDENTIALS_EXPIRED, f"The bearer token has expired. {_HINT}") from None
        self._remember(digest, known)
        return known.principal

    async def _verified(self, opened: Opened) -> _Known:
        name = opened.claims.get("iss")
        issuer, keys = self._issuers.get(name if isinstance(name, str) else "", (None, None))
        if issuer is None or keys is None:
            raise BadTokenError("its issuer (iss) is not one that is configured")
        key = await keys.find(opened.kid)
        generation = keys.generation
        if key is None:
            raise _no_key(keys)
        verify(opened, key, PUBLIC)
        self._check_claims(issuer, opened.claims)
        ends = float(opened.claims["exp"]) + _leeway(issuer)
        return _Known(self._principal(issuer, opened.claims), keys, generation, ends)

    def _check_claims(self, issuer: Issuer, claims: dict[str, Any]) -> None:
        try:
            self._claims[issuer.issuer].validate(claims)
        except ExpiredTokenError:
            raise
        except ClaimError as error:
            # Only names that are checked, never one of the token's own making.
            raise BadTokenError(f"{error.claim} is missing, wrong or not yet valid") from None

    def _principal(self, issuer: Issuer, claims: dict[str, Any]) -> Principal:
        subject = claims["sub"]
        if len(subject) > _MAX_SUBJECT or not subject.isprintable():
            raise BadTokenError(f"its subject (sub) is longer than {_MAX_SUBJECT} characters or not printable")
        name = issuer.prefix + counted(issuer, subject)
        if self._owner(name) != issuer.issuer:
            raise BadTokenError("its subject (sub) belongs to another issuer")
        passed_on = {claim: claims[claim] for claim in issuer.claims if claim in claims}
        return Principal(name, issuer.name, self._services.get(name), passed_on)

    def _owner(self, name: str) -> str | None:
        """The issuer with the longest prefix of `name`: any other one has made up a subject that collides."""
        return next(owner for prefix, owner in self._owners if name.startswith(prefix))

    def _remember(self, digest: bytes, known: _Known) -> None:
        if len(self._known) >= self._capacity:
            del self._known[next(iter(self._known))]
        self._known[digest] = known


def _registry(issuer: Issuer, wall: Clock) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=lambda: math.floor(wall()),
        leeway=_leeway(issuer),
        iss={"essential": True, "value": issuer.issuer},
        aud={"essential": True, "value": issuer.audience},
        sub={"essential": True},
        exp={"essential": True},
    )


def counted(issuer: Issuer, subject: str) -> str:
    """What of `subject` names a principal. Raises BadTokenError for one that does not count."""
    if not issuer.subject_prefix:
        return subject
    rest = subject.removeprefix(issuer.subject_prefix)
    # Another ":" would make names that merely begin alike, such as those of another namespace, into this one's.
    if not subject.startswith(issuer.subject_prefix) or not rest or ":" in rest:
        raise BadTokenError("its subject (sub) is not one of those that count here (subject_prefix)")
    return rest


def _leeway(issuer: Issuer) -> int:
    return math.ceil(issuer.leeway)


def _no_key(keys: LiveKeys) -> BadTokenError | CallError:
    if keys.loaded:
        return BadTokenError("its issuer has no key with that key id (kid)")
    # The caller may be perfectly right: it is the gateway that cannot tell now.
    text = "The keys of the token's issuer cannot be read right now. Try again; if it goes on, see the gateway's log."
    return CallError(Reason.CREDENTIALS_INVALID, text, retry_after=1.0)
