"""Each call's end reaches the journal once; where it is required nothing is done and nothing answered without a record."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from gateway.call import Call
from gateway.errors import CallError, Code, Reason
from gateway.filters.journal import announce, capture, journal
from gateway.routes import CATALOG_LIST, Method
from gateway.service import Finish, Send, Service
from gateway.targets import Target
from tests.unit.gateway.chain_fakes import (
    AGENT_RUN,
    MODEL_GENERATE,
    START,
    TOOL_CALL,
    TOOL_DESCRIBE,
    TOOL_STREAM,
    Behind,
    FakeJournal,
    Received,
    call,
    hangs,
    permitted,
    target,
)

REFUSED = CallError(Reason.JOURNAL_UNAVAILABLE, "later")
WITHHELD = CallError(Reason.ANSWER_WITHHELD, "no record")
MODES = pytest.mark.parametrize("required", [False, True])


def streams(*messages: bytes, ends: Finish | BaseException | None = None) -> Service:
    """Sends `messages`, the last of which completes the answer, and ends so."""

    async def serve(call: Call, send: Send) -> Finish:
        for message in messages:
            call.facts.complete = message is messages[-1]
            await send(message)
        if isinstance(ends, BaseException):
            raise ends
        return ends or Finish()

    return serve


async def error_of(keeper: FakeJournal, service: Service, received: Received | None = None) -> CallError:
    with pytest.raises(CallError) as caught:
        await journal(keeper)(service)(call(), (received or Received()).send)
    return caught.value


@MODES
async def test_an_answered_call_is_kept_and_its_answer_passes(required: bool) -> None:
    keeper, received, made = FakeJournal(required), Received(), call()
    finish = await journal(keeper)(streams(b"1", b"2"))(made, received.send)
    assert received.messages == [b"1", b"2"]
    assert (keeper.calls, keeper.outcomes) == ([made], [finish])


@MODES
async def test_the_targets_own_error_is_kept_and_passes(required: bool) -> None:
    keeper, received = FakeJournal(required), Received()
    finish = await journal(keeper)(streams(b"1", ends=Finish(Code.NOT_FOUND)))(call(), received.send)
    assert (finish.code, received.messages) == (Code.NOT_FOUND, [b"1"])
    assert keeper.outcomes == [finish]


@MODES
async def test_a_rejection_is_kept_as_the_caller_gets_it(required: bool) -> None:
    keeper, error, made = FakeJournal(required), CallError(Reason.POLICY_DENIED, "no"), call()
    made.facts.target = "calculator"
    with pytest.raises(CallError) as caught:
        await journal(keeper)(streams(ends=error))(made, Received().send)
    assert caught.value is error
    assert keeper.outcomes == [error]
    assert error.metadata["target"] == "calculator"


@MODES
async def test_a_bug_is_kept_as_internal(required: bool) -> None:
    keeper = FakeJournal(required)
    error = await error_of(keeper, streams(ends=ValueError("SECRET")))
    assert keeper.outcomes == [error]
    assert (error.reason, isinstance(error.__cause__, ValueError)) == (Reason.INTERNAL, True)
    assert "SECRET" not in error.message


@MODES
async def test_a_cancelled_call_is_kept_and_nothing_is_waited_for(required: bool) -> None:
    keeper = FakeJournal(required, durable=asyncio.Event())
    task = asyncio.ensure_future(journal(keeper)(hangs)(call(), Received().send))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(outcome) for outcome in keeper.outcomes] == [asyncio.CancelledError]


async def test_only_the_last_message_waits_for_the_record() -> None:
    keeper, received = FakeJournal(True, durable=asyncio.Event()), Received()
    task = asyncio.ensure_future(journal(keeper)(streams(b"1", b"2", b"3"))(call(), received.send))
    for _ in range(5):
        await asyncio.sleep(0)
    assert (received.messages, task.done(), len(keeper.outcomes)) == ([b"1", b"2"], False, 1)
    assert keeper.durable is not None
    keeper.durable.set()
    await task
    assert received.messages == [b"1", b"2", b"3"]


async def test_without_a_record_the_last_message_never_leaves() -> None:
    keeper, received = FakeJournal(True, withhold=WITHHELD), Received()
    assert await error_of(keeper, streams(b"1", b"2"), received) is WITHHELD
    assert received.messages == [b"1"]
    assert len(keeper.outcomes) == 1


@pytest.mark.parametrize(("withhold", "got"), [(None, [b"1", b"2"]), (WITHHELD, [b"1"])])
async def test_a_call_that_fails_after_its_last_message_keeps_its_own_error(
    withhold: CallError | None, got: list[bytes]
) -> None:
    keeper, received = FakeJournal(True, withhold=withhold), Received()
    error = CallError(Reason.DEADLINE_EXCEEDED, "late")
    assert await error_of(keeper, streams(b"1", b"2", ends=error), received) is error
    assert received.messages == got


async def test_a_call_that_cannot_go_on_record_is_refused_and_still_told_of() -> None:
    keeper, behind = FakeJournal(True, refuse=REFUSED, durable=asyncio.Event()), Behind()
    assert await error_of(keeper, behind) is REFUSED
    assert behind.calls == []
    assert keeper.outcomes == [REFUSED]


async def test_best_effort_refuses_nothing() -> None:
    keeper = FakeJournal(False, refuse=REFUSED)
    assert (await journal(keeper)(streams(b"1"))(call(), Received().send)).code is Code.OK


@MODES
async def test_an_error_does_not_keep_the_call_alive(required: bool) -> None:
    class Canary:
        """Stands for what a request holds."""

    async def fails(canary: Canary) -> weakref.ref[Canary]:
        async def serve(call: Call, send: Send) -> Finish:
            assert canary
            raise CallError(Reason.RATE_LIMITED, "later")

        keeper = FakeJournal(required)
        with pytest.raises(CallError):
            await journal(keeper)(serve)(call(), Received().send)
        keeper.outcomes.clear()
        return weakref.ref(canary)

    gc.collect()
    gc.disable()
    try:
        assert (await fails(Canary()))() is None
    finally:
        gc.enable()


AGENT = target("assistant", "agent")
MODEL = target("router", "model")


@pytest.mark.parametrize(
    ("method", "to", "announced"),
    [
        (TOOL_CALL, target(effect="MUTATING"), True),
        (TOOL_CALL, target(effect="READ"), False),
        (TOOL_CALL, target(effect="IDEMPOTENT"), False),
        (TOOL_STREAM, target(effect="READ"), True),
        (TOOL_DESCRIBE, target(effect="MUTATING"), False),
        (AGENT_RUN, AGENT, True),
        (MODEL_GENERATE, MODEL, False),
    ],
)
async def test_calls_that_may_change_something_or_stream_are_announced(
    method: Method, to: Target, announced: bool
) -> None:
    keeper, behind, made = FakeJournal(True), Behind(), permitted(call(method), to)
    await announce(keeper, lambda: START + 0.5)(behind)(made, Received().send)
    assert behind.calls == [made]
    assert keeper.announced == [made] * announced
    assert made.facts.stages == ({"announce": 0.5} if announced else {})


async def test_a_call_that_cannot_be_announced_does_not_reach_the_target() -> None:
    keeper, behind = FakeJournal(True, refuse=REFUSED), Behind()
    with pytest.raises(CallError) as caught:
        await announce(keeper, lambda: START)(behind)(permitted(call(), target(effect="MUTATING")), Received().send)
    assert caught.value is REFUSED
    assert behind.calls == []


async def test_the_gateways_own_answers_are_shown_and_counted() -> None:
    keeper, received, made = FakeJournal(), Received(), call(CATALOG_LIST, b"")
    await capture(keeper)(streams(b"12", b"345"))(made, received.send)
    assert keeper.shown == received.messages == [b"12", b"345"]
    assert (made.facts.events, made.facts.response_bytes) == (2, 5)
