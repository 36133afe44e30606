"""What metrics tell of the policy: since when its revision is in force, and whether a newer one is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Policy(Protocol):
    """The policy in force; `error` says why the folder's present state is not, or why nothing can be decided, else ""."""

    @property
    def revision(self) -> str: ...

    @property
    def error(self) -> str: ...


class PolicyAge:
    """Notices another revision when it is asked: `loaded` is late by at most the time between two readings of the metrics."""

    def __init__(self, policy: Policy, wall: Callable[[], float]) -> None:
        """`policy` has been loaded just now; `wall` is Unix time in seconds."""
        self._policy = policy
        self._wall = wall
        self._revision = policy.revision
        self._loaded = wall()

    def report(self) -> Mapping[str, Any]:
        """`loaded`, Unix time in seconds, and `error`, "" when all is well."""
        if self._policy.revision != self._revision:
            self._revision, self._loaded = self._policy.revision, self._wall()
        return {"loaded": self._loaded, "error": self._policy.error}
