"""No call runs without an end, and an expired one gets nowhere."""

from __future__ import annotations

import pytest

from gateway.core.deadline import NEVER, Deadline
from gateway.errors import CallError, Reason
from gateway.filters.deadline import deadline
from tests.unit.gateway.chain_fakes import START, Behind, Received, call, clock, hangs, run


@pytest.mark.parametrize("at", [START, START - 5])
def test_an_expired_call_is_refused_and_reaches_nothing(at: float) -> None:
    async def main() -> None:
        behind = Behind()
        with pytest.raises(CallError) as caught:
            await deadline(600, clock)(behind)(call(deadline=Deadline(at)), Received().send)
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        assert behind.calls == []

    run(main)


def test_the_callers_deadline_is_passed_on_and_enforced() -> None:
    async def main() -> None:
        behind, stage = Behind(), deadline(600, clock)
        await stage(behind)(call(deadline=Deadline(START + 3)), Received().send)
        assert behind.calls[0].deadline == Deadline(START + 3)
        assert not behind.calls[0].facts.open_ended
        with pytest.raises(CallError):
            await stage(hangs)(call(deadline=Deadline(START + 3)), Received().send)
        assert clock() == pytest.approx(START + 3, abs=0.01)

    run(main)


@pytest.mark.parametrize("asked", [NEVER, Deadline(START + 10_000)])
def test_no_call_is_longer_than_the_maximum(asked: Deadline) -> None:
    async def main() -> None:
        behind = Behind()
        made = call(deadline=asked)
        await deadline(600, clock)(behind)(made, Received().send)
        assert behind.calls[0].deadline.at == pytest.approx(START + 600)
        assert made.facts.open_ended is (asked is NEVER)

    run(main)
