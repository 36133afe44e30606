"""Several models in order: the next one is asked where the one before cannot answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from firebreak_runtime.remote.failures import RemoteError

M = TypeVar("M")

CANNOT_ANSWER = frozenset(
    {
        "TARGET_UNAVAILABLE",
        "TARGET_NOT_READY",
        "CIRCUIT_OPEN",
        "MODEL_FAILED",
        "CONTRACT_VIOLATED",
        "RATE_LIMITED",
        "OVERLOADED",
        "CONCURRENCY_LIMITED",
        "DRAINING",
        "WORKER_DIED",
        "MEMORY_EXCEEDED",
        "REQUEST_TOO_LARGE",
        "RESPONSE_TOO_LARGE",
        "DEADLINE_EXCEEDED",
        "FIRST_EVENT_TIMEOUT",
        "IDLE_TIMEOUT",
    }
)
"""Reasons that lie with one model. A denial, a wrong request or a caller that went away would be the same with the next."""


class Turns(Generic[M]):
    """The models in the order in which one call asks them. Each that could not answer is told by `missed`."""

    def __init__(self, models: Sequence[M]) -> None:
        self._waiting = list(models)
        self._before: list[str] = []

    def __iter__(self) -> Iterator[M]:
        while self._waiting:
            yield self._waiting.pop(0)

    def missed(self, error: RemoteError) -> None:
        """Returns if the next model is to be asked, else raises the error, with the models before it in its message."""
        failure = error.failure
        if self._waiting and failure.reason in CANNOT_ANSWER:
            self._before.append(f"{failure.target} {failure.reason}")
            return
        if not self._before:
            raise error
        before = ", ".join(self._before)
        raise RemoteError(replace(failure, message=f"{failure.message} (asked before: {before})")) from None


def common_profile(profiles: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """What can be said of every one of the models: abilities that all have, the smallest sizes. None where one says nothing."""
    known = [profile for profile in profiles if profile]
    if len(known) < len(profiles):
        return None
    first = known[0]
    common: dict[str, Any] = {}
    for name in first:
        values = [profile.get(name) for profile in known]
        if all(isinstance(value, (bool, int, float)) for value in values):
            common[name] = min(values)  # type: ignore[type-var]  # numbers and truth values
        elif all(value == values[0] for value in values):
            common[name] = values[0]
    return common
