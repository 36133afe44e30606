"""How many calls services have made in each session, in a table that cannot grow without end."""

from __future__ import annotations

from collections import OrderedDict


class SessionCalls:
    """Services may make `limit` calls in each session in all, until it is forgotten.

    At most `sessions` are remembered, since nobody tells the end of one that began at another gateway: beyond that the one in
    which no call was made for longest goes.
    """

    def __init__(self, limit: int, sessions: int = 10_000) -> None:
        self._limit = limit
        self._sessions = sessions
        self._made: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def take(self, session: str) -> bool:
        """Counts one more call in `session`; False when all that it may have were made, and nothing is counted."""
        made = self._made.pop(session, 0)
        self._made[session] = min(made + 1, self._limit)
        if len(self._made) > self._sessions:
            self._made.popitem(last=False)
        return made < self._limit

    def forget(self, session: str) -> None:
        """It has ended."""
        self._made.pop(session, None)
