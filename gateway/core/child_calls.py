"""How many calls the service behind each call has made, in a table that cannot grow without end."""

from __future__ import annotations

from collections import OrderedDict


class ChildCalls:
    """Each parent call may have `limit` child calls in all, until it is forgotten.

    At most `parents` are remembered, since nobody tells the end of a call that another gateway serves: beyond that the one that
    made no call for longest goes.
    """

    def __init__(self, limit: int, parents: int = 10_000) -> None:
        self._limit = limit
        self._parents = parents
        self._made: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def take(self, parent: str) -> bool:
        """Counts one more child call of `parent`; False when it has made all that it may, and nothing is counted."""
        made = self._made.pop(parent, 0)
        self._made[parent] = min(made + 1, self._limit)
        if len(self._made) > self._parents:
            self._made.popitem(last=False)
        return made < self._limit

    def forget(self, parent: str) -> None:
        """The call `parent` has ended."""
        self._made.pop(parent, None)
