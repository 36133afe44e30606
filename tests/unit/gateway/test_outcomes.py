"""Two words for every end of a call, from fixed sets."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.deadline import NEVER, Deadline
from gateway.errors import CallError, Code, Reason
from gateway.outcomes import OTHER, classify
from gateway.service import Finish


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Finish(), (Code.OK, "")),
        (Finish(Code.UNAVAILABLE, reason="WORKER_DIED"), (Code.UNAVAILABLE, "WORKER_DIED")),
        (Finish(Code.UNAVAILABLE, reason="made up by a service"), (Code.UNAVAILABLE, OTHER)),
        (CallError(Reason.RATE_LIMITED, ""), (Code.RESOURCE_EXHAUSTED, "RATE_LIMITED")),
        (ValueError(), (Code.INTERNAL, "INTERNAL")),
        (KeyboardInterrupt(), (Code.INTERNAL, "INTERNAL")),
        (asyncio.CancelledError(), (Code.CANCELLED, "CANCELLED")),
    ],
)
def test_every_end_has_a_code_and_a_reason(outcome: Finish | BaseException, expected: tuple[Code, str]) -> None:
    assert classify(outcome, NEVER, 100.0) == expected


@pytest.mark.parametrize(("deadline", "code"), [(99.0, 4), (100.0, 4), (100.04, 4), (101.0, 1)])
def test_a_cancellation_at_the_deadline_is_the_deadline(deadline: float, code: int) -> None:
    assert classify(asyncio.CancelledError(), Deadline(deadline), 100.0)[0] == code
