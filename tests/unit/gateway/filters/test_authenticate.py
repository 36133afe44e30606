"""Who calls is known from here on; who cannot say gets no further."""

from __future__ import annotations

import pytest

from gateway.call import Principal, Session
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Reason
from gateway.filters.authenticate import authenticate
from tests.unit.gateway.chain_fakes import (
    START,
    Behind,
    FakeAuthenticator,
    Received,
    call,
    clock,
    hangs,
    run,
)

CHILD = Session("s" * 32, ("user:developer", "service:assistant"), parent="p" * 32, depth=1, expires_at=START + 2)
ASSISTANT = Principal("service:assistant", "services", "assistant")


@pytest.mark.parametrize(
    "reason",
    [
        Reason.CREDENTIALS_MISSING,
        Reason.CREDENTIALS_INVALID,
        Reason.CREDENTIALS_EXPIRED,
        Reason.SESSION_INVALID,
    ],
)
async def test_bad_credentials_get_no_further(reason: Reason) -> None:
    behind = Behind()
    stage = authenticate(FakeAuthenticator(error=CallError(reason, "who are you?")), lambda: START)
    with pytest.raises(CallError) as caught:
        await stage(behind)(call(), Received().send)
    assert caught.value.reason is reason
    assert behind.calls == []


def test_principal_and_session_are_set_and_on_record() -> None:
    async def main() -> None:
        behind = Behind()
        made = call(deadline=Deadline(START + 60))
        await authenticate(FakeAuthenticator(ASSISTANT, CHILD), clock)(behind)(made, Received().send)
        known, facts = behind.calls[0], made.facts
        assert (known.principal, known.session) == (ASSISTANT, CHILD)
        assert (facts.principal, facts.session, facts.chain) == (ASSISTANT.id, CHILD.id, CHILD.chain)
        assert (facts.parent, facts.depth) == (CHILD.parent, 1)
        assert facts.issuer == ASSISTANT.issuer
        assert "authenticate" in facts.stages

    run(main)


def test_a_child_call_never_outlives_its_parent() -> None:
    async def main() -> None:
        stage = authenticate(FakeAuthenticator(ASSISTANT, CHILD), clock)
        behind = Behind()
        await stage(behind)(call(deadline=Deadline(START + 60)), Received().send)
        assert behind.calls[0].deadline == Deadline(START + 2)
        with pytest.raises(CallError) as caught:
            await stage(hangs)(call(deadline=Deadline(START + 60)), Received().send)
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        assert clock() == pytest.approx(START + 2, abs=0.01)

    run(main)


async def test_a_bug_in_the_authenticator_lets_nobody_in() -> None:
    behind = Behind()
    with pytest.raises(ZeroDivisionError):
        await authenticate(FakeAuthenticator(error=ZeroDivisionError()), lambda: START)(behind)(call(), Received().send)
    assert behind.calls == []
