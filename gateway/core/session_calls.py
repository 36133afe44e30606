"""How many calls services have made in each session, and how fast, in a table that cannot grow without end."""

from __future__ import annotations

from collections import OrderedDict

from gateway.core.token_bucket import TokenBucket


class OneSession:
    """The calls that services have made in one session: `made` of them, each in its turn."""

    __slots__ = ("_turns", "made")

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self._turns = TokenBucket(per_second, burst, now)
        self.made = 0

    def wait(self, now: float) -> float:
        """Seconds from `now` until the next call's turn: behind those that wait already."""
        return self._turns.wait(now)

    def make(self, now: float) -> None:
        """One more call is made, or waits for its turn from now on."""
        self._turns.charge(1, now)
        self.made += 1


class SessionCalls:
    """In each session services may make `burst` calls at once and `per_second` from then on, until it is forgotten.

    At most `sessions` are remembered, since nobody tells the end of one that began at another gateway: beyond that the one in
    which no call was made for longest goes.
    """

    def __init__(self, per_second: float, burst: int, sessions: int = 10_000) -> None:
        self._rate = per_second, burst
        self._limit = sessions
        self._sessions: OrderedDict[str, OneSession] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def of(self, session: str, now: float) -> OneSession:
        """The calls of `session`, in which a call is being made now."""
        if (known := self._sessions.get(session)) is not None:
            self._sessions.move_to_end(session)
            return known
        if len(self._sessions) >= self._limit:
            self._sessions.popitem(last=False)
        new = self._sessions[session] = OneSession(*self._rate, now)
        return new

    def forget(self, session: str) -> None:
        """It has ended."""
        self._sessions.pop(session, None)
