"""What is proven of a service, or of the gateway itself: promises, and for each whether it is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

WALLS = (
    "network",
    "sockets",
    "files",
    "read-only",
    "scratch",
    "environment",
    "processes",
    "privileges",
    "syscalls",
    "landlock",
    "limits",
)
"""Promises of a sandbox, which its self-test tries from inside."""

BOUNDS = ("memory", "cpu", "tasks")
"""Promises of a sandbox that only whoever started it can see to."""

SELF_TEST = "self-test"
"""Stands for all WALLS while they cannot be tried."""


class Verdict(StrEnum):
    """How a promise was found. UNKNOWN: it could not be tried this time. NOT_IN_FORCE: nobody claims that it is kept."""

    HELD = "held"
    BROKEN = "broken"
    NOT_IN_FORCE = "not_in_force"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: one of the names above, or a probe as "allow:NAME" or "deny:NAME".

    `detail` says what was found and what to do about it; empty for what is held.
    """

    name: str
    verdict: Verdict
    detail: str = ""

    @property
    def failure(self) -> str:
        """What it means for a service that this is broken or not known, in words for the platform engineer."""
        kind = self.name.partition(":")[0]
        return f"{_MEANS.get(kind, 'its sandbox does not keep the promise `{}`: {}').format(self.name, self.detail)}"


_MEANS = {
    "allow": "its probe {} is not answered as it must be: {}",
    "deny": "its probe {} is not denied: {}",
    SELF_TEST: "its {} gives no answer: {}",
}

Promises = tuple[Promise, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """The promises as they were found at `at`, in monotonic seconds."""

    promises: Promises
    at: float

    @property
    def broken(self) -> Promises:
        return self._with(Verdict.BROKEN)

    @property
    def unknown(self) -> Promises:
        return self._with(Verdict.UNKNOWN)

    def with_(self, promises: Iterable[Promise], at: float) -> Proof:
        """This proof with `promises` in place of those of the same names."""
        return Proof(tuple({each.name: each for each in (*self.promises, *promises)}.values()), at)

    def changes(self, before: Proof | None) -> Promises:
        """The promises whose verdict is another one than `before`; of the first proof all that are not held."""
        known = {} if before is None else {each.name: each.verdict for each in before.promises}
        return tuple(each for each in self.promises if known.get(each.name, Verdict.HELD) is not each.verdict)

    def report(self, now: float) -> dict[str, Any]:
        """For /status, a JSON object; `at` is how many seconds ago it was."""
        return {
            "at": round(now - self.at, 3),
            "promises": [
                {"name": each.name, "verdict": each.verdict.value, "detail": each.detail} for each in self.promises
            ],
        }

    def _with(self, verdict: Verdict) -> Promises:
        return tuple(each for each in self.promises if each.verdict is verdict)


def first_of(promises: Promises) -> str:
    """The first failure in words, and how many more there are."""
    more = f" (and {len(promises) - 1} more: see `firebreak doctor`)" if len(promises) > 1 else ""
    return promises[0].failure + more
