"""The Authenticator: who calls, by the credentials that the call's listener accepts, and for whom."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.adapters.identity.issuers import Issuers
from gateway.adapters.identity.sessions import HEADER, Sessions
from gateway.adapters.identity.spiffe import BadSpiffeIdError, spiffe_id
from gateway.call import Call, Principal, Session
from gateway.errors import CallError, Reason

_MISSING = {
    "jwt": "metadata authorization: Bearer <token> with a token of a configured issuer",
    "mtls": "a client certificate with a SPIFFE id",
}


class IdentityAuthenticator:
    """Believes what a listener accepts, and nothing else.

    A credential that is offered but wrong ends the call; no other one makes up for it. Where a listener accepts both
    and both are offered, both must be good and the token says who calls: the certificate may be that of a proxy.
    A service's certificate, though, carries no one else's token: a service acts for others through a session only.
    """

    def __init__(
        self,
        issuers: Issuers,
        sessions: Sessions,
        services: Mapping[str, str],
        accept: Mapping[str, tuple[str, ...]],
        trust_domain: str,
    ) -> None:
        """`services` are names of services by identity, `accept` the credentials that count by name of the listener."""
        self._issuers = issuers
        self._sessions = sessions
        self._services = services
        self._accept = accept
        self._trust_domain = trust_domain

    async def authenticate(self, call: Call) -> tuple[Principal, Session]:
        """Raises CallError with CREDENTIALS_MISSING, CREDENTIALS_INVALID, CREDENTIALS_EXPIRED or SESSION_INVALID."""
        principal = await self._principal(call)
        token = _only(call, HEADER, Reason.SESSION_INVALID)
        return principal, self._sessions.session(call, principal, token)

    async def _principal(self, call: Call) -> Principal:
        accepted = self._accept.get(call.listener, ())
        header = _only(call, "authorization", Reason.CREDENTIALS_INVALID)
        if header is not None and "jwt" not in accepted:
            raise _invalid("This listener takes no bearer tokens: send none, and connect with a client certificate.")
        by_certificate = self._by_certificate(call) if "mtls" in accepted and call.peer.uris else None
        by_token = await self._issuers.principal(_bearer(header)) if header is not None else None
        if by_token is not None and by_certificate is not None:
            _may_carry(by_certificate, by_token)
        principal = by_token or by_certificate
        if principal is None:
            wanted = " or ".join(_MISSING[kind] for kind in accepted) or "other credentials, at another listener"
            raise CallError(Reason.CREDENTIALS_MISSING, f"The call carries no credentials. Send {wanted}.")
        return principal

    def _by_certificate(self, call: Call) -> Principal:
        try:
            name = spiffe_id(call.peer.uris, self._trust_domain)
        except BadSpiffeIdError as error:
            raise _invalid(f"The client certificate was refused: {error}.") from None
        return Principal(name, f"spiffe://{self._trust_domain}", self._services.get(name))


def _may_carry(certificate: Principal, token: Principal) -> None:
    if certificate.service is not None and certificate.service != token.service:
        raise _invalid(
            "A service's certificate carries only that service's own token: act for others through a session."
        )


def _only(call: Call, key: str, reason: Reason) -> str | None:
    """The one value of metadata `key`, or None. Two values are refused: which of them counts would be anyone's guess."""
    values = [value for name, value in call.metadata if name == key]
    if not values:
        return None
    if len(values) > 1 or not isinstance(values[0], str):
        raise CallError(reason, f"The call has more than one value of metadata {key}. Send exactly one.")
    return values[0]


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token or token != token.strip():
        raise _invalid("Metadata authorization is not of the form Bearer <token>.")
    return token


def _invalid(message: str) -> CallError:
    return CallError(Reason.CREDENTIALS_INVALID, message)
