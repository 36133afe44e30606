"""Authenticate: from here on it is known who calls, for whom, and how far down."""

from __future__ import annotations

from gateway.call import Call, Facts, Principal, Session
from gateway.ports import Authenticator, Clock
from gateway.service import Filter, Finish, Send, Service
from gateway.timeouts import pass_on


def authenticate(authenticator: Authenticator, clock: Clock) -> Filter:
    """A stage that sets the call's principal and session, or lets the authenticator's CallError end the call.

    A child call's deadline is narrowed to its session's end: it never outlives its parent.
    """

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            principal, session = await authenticator.authenticate(call)
            _note(call.facts, principal, session)
            until = call.deadline.at_most(session.expires_at)
            known = call.narrowed(until, principal=principal, session=session)
            call.facts.stages["authenticate"] = clock() - call.facts.started
            return await pass_on(service, call, send, known)

        return serve

    return wrap


def _note(facts: Facts, principal: Principal, session: Session) -> None:
    facts.principal = principal.id
    facts.issuer = principal.issuer
    facts.session = session.id
    facts.chain = session.chain
    facts.parent = session.parent or ""
    facts.depth = session.depth
