"""Deadlines are enforced once, and a caller's cancellation is never mistaken for one."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

import pytest

from gateway.call import Call
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Reason
from gateway.service import Finish, Send
from gateway.timeouts import enforce, pass_on
from tests.unit.gateway.chain_fakes import (
    PRINCIPAL,
    SESSION,
    START,
    Behind,
    Received,
    authenticated,
    call,
    clock,
    hangs,
    permitted,
    run,
    target,
)


def test_what_overruns_ends_at_its_deadline() -> None:
    async def main() -> None:
        made = call(deadline=Deadline(START + 2.5))
        made.facts.target = "calculator"
        with pytest.raises(CallError) as caught:
            await enforce(hangs, made, Received().send)
        assert clock() == pytest.approx(START + 2.5, abs=0.01)
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        assert caught.value.metadata == {"target": "calculator"}

    run(main)


def test_a_cancellation_stays_a_cancellation() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(enforce(hangs, call(deadline=Deadline(START + 5)), Received().send))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clock() < START + 5

    run(main)


def test_a_timeout_error_of_the_service_is_not_the_deadline() -> None:
    async def broken(call: Call, send: Send) -> Finish:
        raise TimeoutError

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await enforce(broken, call(deadline=Deadline(START + 5)), Received().send)

    run(main)


def test_only_an_earlier_deadline_is_enforced_again() -> None:
    async def main() -> None:
        made = call(deadline=Deadline(START + 5))
        earlier = made.narrowed(Deadline(START + 1))
        with pytest.raises(CallError):
            await pass_on(hangs, made, Received().send, earlier)
        assert clock() == pytest.approx(START + 1, abs=0.01)
        behind = Behind()
        assert await pass_on(behind, made, Received().send, made) == Finish()
        assert behind.calls == [made]

    run(main)


def test_narrowed_equals_replace_and_leaves_no_field_out() -> None:
    whole = permitted(authenticated(call()), target())
    deadline = Deadline(START + 1)
    assert whole.narrowed(deadline) == replace(whole, deadline=deadline)
    changed = call().narrowed(deadline, principal=PRINCIPAL, session=SESSION)
    assert (changed.principal, changed.session, changed.deadline) == (PRINCIPAL, SESSION, deadline)
    assert {field.name for field in fields(Call)} == {
        *("id", "method", "metadata", "request", "deadline", "listener", "peer", "facts"),
        *("principal", "session", "view", "target", "permit", "exchange"),
    }
