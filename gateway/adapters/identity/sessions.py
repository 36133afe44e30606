"""Session tokens: what a service shows to say for whom, within which call and until when it makes a child call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gateway.adapters.identity.jws import SHARED, BadTokenError, Opened, open_token, sign, verify
from gateway.adapters.identity.session_keys import SessionKeys
from gateway.call import Call, Principal, Session
from gateway.errors import CallError, Reason
from gateway.ports import Clock, InFlight
from gateway.routes import Action

HEADER = "firebreak-session"
_TYPE = "firebreak-session+jwt"
_HINT = "Make child calls with the firebreak-session metadata of the call being served, while it is being served."


class Sessions:
    """Issues session tokens and turns them back into sessions.

    A token is bound to the service that it was given to (`sub`), to the call that the service serves (`parent`) and to that
    call's deadline. `iss` names the gateway process: its own tokens are held to its own monotonic clock (`end`) and to
    the calls that run in it; another process' tokens to the wall clock (`exp`), as it cannot see those calls.
    """

    def __init__(
        self,
        keys: SessionKeys,
        in_flight: InFlight,
        instance: str,
        clock: Clock,
        wall: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._keys = keys
        self._in_flight = in_flight
        self._instance = instance
        self._clock = clock
        self._wall = wall
        self._new_id = new_id

    def issue(self, call: Call) -> str:
        """A token for `call.target`'s child calls; raises ValueError for a call without target, session or deadline."""
        if call.target is None or call.session is None or math.isinf(call.deadline.at):
            raise ValueError("a session token needs a target, a session and a deadline")
        kid, key = self._keys.newest
        claims = {
            "iss": self._instance,
            "sub": call.target.identity,
            "sid": call.session.id,
            "parent": call.id,
            "chain": call.session.chain,
            "depth": call.session.depth + 1,
            "exp": self._wall() + call.deadline.remaining(self._clock()),
            "end": call.deadline.at,
        }
        return sign(_TYPE, kid, claims, key)

    def session(self, call: Call, principal: Principal, token: str | None) -> Session:
        """The session of `call`, made by `principal` with session token `token`. Raises CallError SESSION_INVALID.

        Without a token a new session begins, but not for a service: it acts for somebody, so all that it may do on its own
        is to ask what its tools look like.
        """
        if token is not None:
            return self._continued(principal, token)
        if principal.service is not None and call.method.action is not Action.DESCRIBE:
            raise _refused("a service calls with the session token that it was called with")
        return Session(self._new_id(), (principal.id,))

    def _continued(self, principal: Principal, token: str) -> Session:
        try:
            claims = self._verified(token).claims
            if claims["sub"] != principal.id:
                raise BadTokenError("it was given to another service")
            return self._session(claims, principal)
        except BadTokenError as error:
            raise _refused(str(error)) from None
        except (KeyError, TypeError, ValueError):
            # Signed with our key, yet not by this code: another program holds the key, or another version wrote it.
            raise _refused("it is not in this gateway's format") from None

    def _verified(self, token: str) -> Opened:
        opened = open_token(token, SHARED)
        if opened.typ != _TYPE:
            raise BadTokenError("it is a token of another kind")
        key = self._keys.find(opened.kid)
        if key is None:
            raise BadTokenError("the key that signed it is no longer in force")
        verify(opened, key, SHARED)
        return opened

    def _session(self, claims: dict[str, Any], principal: Principal) -> Session:
        own, parent = claims["iss"] == self._instance, str(claims["parent"])
        now = self._clock()
        # Another process' deadline comes by the wall clock, the only one that both share.
        end = float(claims["end"]) if own else now + float(claims["exp"]) - self._wall()
        if now >= end:
            raise BadTokenError("the deadline of the call that it was given for has passed")
        if own and parent not in self._in_flight:
            raise BadTokenError("the call that it was given for has ended")
        chain = (*map(str, claims["chain"]), principal.id)
        return Session(str(claims["sid"]), chain, parent, int(claims["depth"]), end)


def _refused(why: str) -> CallError:
    return CallError(Reason.SESSION_INVALID, f"The session was refused: {why}. {_HINT}")
