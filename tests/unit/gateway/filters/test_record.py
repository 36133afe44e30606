"""Every call is on record however it ends, and no bug's text reaches a caller."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

from gateway.call import Call
from gateway.errors import CallError, Code, Reason
from gateway.filters.record import record
from gateway.service import Finish, Send, Service
from tests.unit.gateway.chain_fakes import Behind, FakeRecorder, Received, call, hangs


def raising(error: BaseException) -> Service:
    async def serve(call: Call, send: Send) -> Finish:
        raise error

    return serve


async def test_a_call_is_in_flight_while_it_runs_and_on_record_afterwards() -> None:
    recorder, in_flight, seen = FakeRecorder(), set[str](), []

    async def serve(call: Call, send: Send) -> Finish:
        seen.append(set(in_flight))
        return Finish(Code.NOT_FOUND)

    made = call(request=b"12345")
    finish = await record(recorder, in_flight)(serve)(made, Received().send)
    assert (finish.code, seen, in_flight) == (Code.NOT_FOUND, [{made.id}], set())
    assert (recorder.calls, recorder.outcomes) == ([made], [finish])
    assert made.facts.request_bytes == 5


async def test_a_rejection_is_on_record_with_the_targets_name() -> None:
    recorder = FakeRecorder()
    error = CallError(Reason.POLICY_DENIED, "no")
    made = call()
    made.facts.target = "calculator"
    with pytest.raises(CallError) as caught:
        await record(recorder, set())(raising(error))(made, Received().send)
    assert caught.value is error
    assert recorder.outcomes == [error]
    assert error.metadata["target"] == "calculator"


async def test_a_cancelled_call_is_on_record_and_stays_cancelled() -> None:
    recorder, in_flight = FakeRecorder(), set[str]()
    task = asyncio.ensure_future(record(recorder, in_flight)(hangs)(call(), Received().send))
    await asyncio.sleep(0)
    assert in_flight
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(outcome) for outcome in recorder.outcomes] == [asyncio.CancelledError]
    assert not in_flight


async def test_a_bug_becomes_internal_and_its_text_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    recorder = FakeRecorder()
    made = call()
    with caplog.at_level(logging.ERROR), pytest.raises(CallError) as caught:
        await record(recorder, set())(raising(ValueError("SECRET in /etc/passwd")))(made, Received().send)
    error = caught.value
    assert error.reason is Reason.INTERNAL
    assert error.metadata["correlation_id"] == made.id == made.facts.correlation
    assert made.id in error.message
    assert "SECRET" not in error.message + str(error.metadata)
    assert recorder.outcomes == [error]
    assert "SECRET" in caplog.text
    assert made.id in str([vars(entry) for entry in caplog.records])


class Forgetful(FakeRecorder):
    """Keeps nothing of a call."""

    def started(self, call: Call) -> None: ...

    def ended(self, call: Call, outcome: object) -> None: ...


async def test_an_error_does_not_keep_the_call_alive() -> None:
    class Canary:
        """Stands for what a request holds."""

    async def fails(canary: Canary) -> weakref.ref[Canary]:
        async def serve(call: Call, send: Send) -> Finish:
            assert canary
            raise CallError(Reason.RATE_LIMITED, "later")

        with pytest.raises(CallError):
            await record(Forgetful(), set())(serve)(call(), Received().send)
        return weakref.ref(canary)

    gc.collect()
    gc.disable()
    try:
        assert (await fails(Canary()))() is None
    finally:
        gc.enable()


async def test_messages_pass_untouched() -> None:
    async def serve(call: Call, send: Send) -> Finish:
        await send(b"1")
        await send(b"2")
        return Finish()

    received = Received()
    await record(FakeRecorder(), set())(serve)(call(), received.send)
    assert received.messages == [b"1", b"2"]
    assert Behind().calls == []
