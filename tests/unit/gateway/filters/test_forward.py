"""What goes to a target, and how it is held to its time, its size and the contract."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from firebreak.v1 import tool_pb2

from gateway.call import Call
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Code, Reason
from gateway.filters.forward import EVENTS_AT_ONCE, EVENTS_PER_SECOND, PAUSE, forward
from gateway.policy import Obligations
from gateway.service import Finish, Send
from gateway.targets import Target
from tests.unit.gateway.chain_fakes import (
    AGENT_INVOKE,
    NO_OBLIGATIONS,
    RESULT,
    START,
    TOOL_CALL,
    TOOL_DESCRIBE,
    TOOL_STREAM,
    FakeJournal,
    FakeRecorder,
    FakeSessions,
    FakeUpstream,
    Received,
    Script,
    agent_request,
    answers,
    authenticated,
    call,
    clock,
    permitted,
    run,
    target,
)


class Outcome:
    """One attempt: what was sent to the target, what the caller got, how it ended."""

    def __init__(self, script: Script = answers) -> None:
        self.upstream, self.recorder, self.sessions = FakeUpstream(script), FakeRecorder(), FakeSessions()
        self.journal = FakeJournal()
        self.received = Received()
        self.finish: Finish | None = None
        self.error: CallError | None = None

    async def serve(self, made: Call, send: Send | None = None) -> Outcome:
        service = forward(self.upstream, self.sessions, self.recorder, self.journal, clock)
        try:
            self.finish = await service(made, send or self.received.send)
        except CallError as error:
            self.error = error
        return self


def attempt(script: Script, made: Call) -> Outcome:
    return run(lambda: Outcome(script).serve(made))


def tool_call(
    to: Target | None = None, method: Any = TOOL_CALL, obligations: Obligations = NO_OBLIGATIONS, at: float = START + 60
) -> Call:
    return permitted(call(method, deadline=Deadline(at)), to or target(), obligations)


def event(seq: int, done: bool = False) -> bytes:
    if done:
        result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK)
        return tool_pb2.ToolServiceStreamResponse(seq=seq, result=result).SerializeToString()
    progress = tool_pb2.ToolProgress(data_json=b"1")
    return tool_pb2.ToolServiceStreamResponse(seq=seq, progress=progress).SerializeToString()


def streams(*waits: float, finish: Finish | None = None) -> Script:
    """Events after the given waits, the last of them terminal."""

    async def script(send: Send) -> Finish:
        for seq, wait in enumerate(waits, 1):
            await asyncio.sleep(wait)
            await send(event(seq, done=seq == len(waits)))
        return finish or Finish()

    return script


def test_the_request_goes_on_byte_for_byte() -> None:
    made = tool_call()
    outcome = attempt(answers, made)
    sent = outcome.upstream.sent[0]
    assert (sent.target, sent.method, sent.request) == ("calculator", TOOL_CALL.name, made.request)
    assert (sent.deadline, sent.streams) == (made.deadline, False)
    assert outcome.received.messages == [RESULT]
    assert outcome.finish == Finish()
    assert (made.facts.events, made.facts.response_bytes) == (1, len(RESULT))
    assert made.facts.first_event is not None
    assert "forward" in made.facts.stages


def test_the_target_learns_the_trace_the_call_and_custom_entries_but_no_credential() -> None:
    given = (
        ("authorization", "Bearer SECRET"),
        ("firebreak-session", "SECRET"),
        ("x-tenant", "a"),
        ("x-tenant", "b"),
        ("x-data-bin", b"\x00"),
        ("cookie", "SECRET"),
        ("traceparent", "00-of-the-caller-01"),
    )
    made = permitted(call(metadata=given, deadline=Deadline(START + 60)), target())
    assert attempt(answers, made).upstream.sent[0].metadata == (
        ("x-tenant", "a"),
        ("x-tenant", "b"),
        ("x-data-bin", b"\x00"),
        ("traceparent", "00-trace-span-01"),
        ("firebreak-call-id", made.id),
    )


@pytest.mark.parametrize(
    ("uses", "method", "issued"),
    [
        ({"tools": ("calculator",)}, AGENT_INVOKE, 1),
        ({"model": "router"}, AGENT_INVOKE, 1),
        ({}, AGENT_INVOKE, 0),
        ({"tools": ("calculator",)}, replace(TOOL_DESCRIBE, name="/firebreak.v1.AgentService/Describe"), 0),
    ],
)
def test_only_a_target_that_uses_others_gets_a_session(uses: dict[str, Any], method: Any, issued: int) -> None:
    async def script(send: Send) -> Finish:
        return Finish(Code.NOT_FOUND)

    agent = target("assistant", "agent", uses=uses)
    made = permitted(call(method, agent_request(), Deadline(START + 60)), agent)
    outcome = attempt(script, made)
    assert len(outcome.sessions.issued) == issued
    assert (("firebreak-session", "session-token") in outcome.upstream.sent[0].metadata) is bool(issued)


@pytest.mark.parametrize("made", [call(), authenticated(call()), replace(authenticated(call()), target=target())])
async def test_a_call_without_a_permit_goes_nowhere(made: Call) -> None:
    upstream = FakeUpstream()
    with pytest.raises(RuntimeError):
        await forward(upstream, FakeSessions(), FakeRecorder(), FakeJournal(), lambda: START)(made, Received().send)
    assert upstream.sent == []


def test_the_targets_own_error_is_passed_on_as_it_is() -> None:
    own = Finish(Code.UNAVAILABLE, "died", (("grpc-status-details-bin", b"x"),), "WORKER_DIED")

    async def script(send: Send) -> Finish:
        return own

    outcome = attempt(script, tool_call())
    assert outcome.finish is own
    assert outcome.recorder.attempts[0].ended == [own]


def test_an_attempt_is_ended_whatever_happens() -> None:
    async def breaks(send: Send) -> Finish:
        raise CallError(Reason.TARGET_UNAVAILABLE, "gone")

    outcome = attempt(breaks, tool_call())
    assert outcome.error is not None
    assert outcome.recorder.attempts[0].ended == [outcome.error]

    async def main() -> None:
        cancelled = Outcome(streams(1000.0))
        task = asyncio.ensure_future(cancelled.serve(tool_call(method=TOOL_STREAM)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [type(ended) for ended in cancelled.recorder.attempts[0].ended] == [asyncio.CancelledError]

    run(main)


def test_silence_before_the_first_message() -> None:
    slow = target(limits={"first_event": "2s"})
    outcome = attempt(streams(3.0), tool_call(slow, TOOL_STREAM))
    assert outcome.error is not None
    assert outcome.error.reason is Reason.FIRST_EVENT_TIMEOUT
    assert outcome.error.metadata == {"target": "calculator"}
    assert outcome.received.messages == []
    assert outcome.recorder.attempts[0].ended == [outcome.error]


def test_silence_between_messages() -> None:
    slow = target(limits={"idle": "2s"})
    outcome = attempt(streams(3.0, 1.9, 1.9, 2.1), tool_call(slow, TOOL_STREAM))
    assert outcome.error is not None
    assert outcome.error.reason is Reason.IDLE_TIMEOUT
    assert len(outcome.received.messages) == 3


def test_a_stream_may_last_longer_than_its_idle_time() -> None:
    slow = target(limits={"idle": "2s", "first_event": "2s"})
    assert attempt(streams(*[1.9] * 10), tool_call(slow, TOOL_STREAM)).finish == Finish()


def test_a_caller_that_reads_slowly_is_no_silent_target() -> None:
    async def reads_slowly(message: bytes) -> None:
        await asyncio.sleep(10)

    async def main() -> None:
        slow = target(limits={"idle": "2s", "first_event": "2s"})
        outcome = await Outcome(streams(1.0, 1.0)).serve(tool_call(slow, TOOL_STREAM), reads_slowly)
        assert outcome.finish == Finish()

    run(main)


def test_timeouts_of_the_target_leave_the_calls_own_deadline_alone() -> None:
    """Where the deadline comes first, no timer of Forward fires: the stage that set it says so."""

    async def main() -> None:
        made = tool_call(method=TOOL_STREAM, at=START + 5)
        task = asyncio.ensure_future(Outcome(streams(100.0)).serve(made))
        done, _ = await asyncio.wait({task}, timeout=50)
        assert not done
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)


@pytest.mark.parametrize(("limit", "obligation"), [("64B", None), ("4MiB", 64), ("128B", 64), ("64B", 128)])
def test_a_response_stops_at_the_smaller_of_its_limits(limit: str, obligation: int | None) -> None:
    events = [event(1), event(2, done=True)]
    padding = 64 - sum(map(len, events))
    large = tool_pb2.ToolServiceStreamResponse(seq=3, progress=tool_pb2.ToolProgress(data_json=b"1" * padding))

    async def script(send: Send) -> Finish:
        await send(event(1))
        await send(event(2))
        await send(large.SerializeToString())
        return Finish()

    to = target(limits={"response_bytes": limit})
    made = tool_call(to, TOOL_STREAM, Obligations(response_bytes=obligation))
    outcome = attempt(script, made)
    assert outcome.error is not None
    assert outcome.error.reason is Reason.RESPONSE_TOO_LARGE
    assert "64 bytes" in outcome.error.message
    assert outcome.error.metadata == {"target": "calculator"}
    assert outcome.received.messages == [event(1), event(2)]
    assert made.facts.response_bytes == 2 * len(event(1))


TOGETHER = int(EVENTS_PER_SECOND * PAUSE)
"""Events that are passed on without a pause between them once the burst is over."""


@pytest.mark.parametrize(
    ("messages", "pauses"),
    [(EVENTS_AT_ONCE + TOGETHER - 2, 0), (EVENTS_AT_ONCE + TOGETHER + 2, 1), (EVENTS_AT_ONCE + 1000, 1000 // TOGETHER)],
)
def test_events_keep_a_pace(messages: int, pauses: int) -> None:
    async def flood(send: Send) -> Finish:
        for seq in range(1, messages):
            await send(event(seq))
        await send(event(messages, done=True))
        return Finish()

    async def main() -> None:
        began = asyncio.get_running_loop().time()
        await Outcome(flood).serve(tool_call(target(), TOOL_STREAM))
        took = asyncio.get_running_loop().time() - began
        assert took == pytest.approx(pauses * PAUSE, abs=PAUSE / 2 * min(pauses, 2))

    run(main)


@pytest.mark.parametrize("messages", range(EVENTS_AT_ONCE + TOGETHER - 2, EVENTS_AT_ONCE + TOGETHER + 3))
def test_no_pause_follows_the_last_event(messages: int) -> None:
    """One of these numbers is that at which a pause is due."""
    waited: list[float] = []

    async def flood(send: Send) -> Finish:
        for seq in range(1, messages):
            await send(event(seq))
        began = asyncio.get_running_loop().time()
        await send(event(messages, done=True))
        waited.append(asyncio.get_running_loop().time() - began)
        return Finish()

    run(lambda: Outcome(flood).serve(tool_call(target(), TOOL_STREAM)))
    assert waited == [0.0]


@pytest.mark.parametrize(("limit", "most"), [("64KiB", 512), ("16KiB", 256)])
def test_tiny_messages_are_counted(limit: str, most: int) -> None:
    def script(messages: int) -> Script:
        async def flood(send: Send) -> Finish:
            for seq in range(1, messages):
                await send(event(seq))
            await send(event(messages, done=True))
            return Finish()

        return flood

    to = target(limits={"response_bytes": limit})
    assert attempt(script(most), tool_call(to, TOOL_STREAM)).finish == Finish()
    outcome = attempt(script(most + 1), tool_call(to, TOOL_STREAM))
    assert outcome.error is not None
    assert outcome.error.reason is Reason.RESPONSE_TOO_LARGE
    assert f"{most} messages" in outcome.error.message


def test_a_response_of_exactly_the_limit_passes() -> None:
    to = target(limits={"response_bytes": f"{len(RESULT)}B"})
    assert attempt(answers, tool_call(to)).finish == Finish()


async def _nothing(send: Send) -> Finish:
    return Finish()


async def _twice(send: Send) -> Finish:
    await send(RESULT)
    await send(RESULT)
    return Finish()


async def _garbage(send: Send) -> Finish:
    await send(b"\xff\xff")
    return Finish()


@pytest.mark.parametrize(("script", "passed"), [(_nothing, 0), (_twice, 1), (_garbage, 0)])
def test_a_unary_answer_that_breaks_the_contract(script: Script, passed: int) -> None:
    outcome = attempt(script, tool_call())
    assert outcome.error is not None
    assert outcome.error.reason is Reason.CONTRACT_VIOLATED
    assert '"calculator"' in outcome.error.message
    assert len(outcome.received.messages) == passed


async def _no_terminal(send: Send) -> Finish:
    await send(event(1))
    return Finish()


async def _two_terminals(send: Send) -> Finish:
    await send(event(1, done=True))
    await send(event(2, done=True))
    return Finish()


@pytest.mark.parametrize("script", [_no_terminal, _two_terminals, _garbage, _nothing])
def test_a_stream_that_breaks_the_contract(script: Script) -> None:
    outcome = attempt(script, tool_call(method=TOOL_STREAM))
    assert outcome.error is not None
    assert outcome.error.reason is Reason.CONTRACT_VIOLATED


def test_a_stream_that_fails_needs_no_terminal_event() -> None:
    async def script(send: Send) -> Finish:
        await send(event(1))
        return Finish(Code.INTERNAL, "broke")

    assert attempt(script, tool_call(method=TOOL_STREAM)).finish == Finish(Code.INTERNAL, "broke")


def test_the_journal_sees_each_message_before_it_passes_and_which_is_the_last() -> None:
    seen: list[tuple[int, bool]] = []
    events = [
        tool_pb2.ToolServiceStreamResponse(seq=1, progress=tool_pb2.ToolProgress(data_json=b"1")).SerializeToString(),
        tool_pb2.ToolServiceStreamResponse(
            seq=2, result=tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK)
        ).SerializeToString(),
    ]

    async def script(send: Send) -> Finish:
        for event in events:
            await send(event)
        return Finish()

    made, outcome = tool_call(method=TOOL_STREAM), Outcome(script)

    async def send(message: bytes) -> None:
        seen.append((len(outcome.journal.shown), made.facts.complete))

    run(lambda: outcome.serve(made, send))
    assert outcome.journal.shown == events
    assert seen == [(1, False), (2, True)]


def test_a_message_that_breaks_the_contract_is_not_shown_to_the_journal() -> None:
    async def script(send: Send) -> Finish:
        await send(b"\xff\xff")
        return Finish()

    outcome = attempt(script, tool_call())
    assert outcome.error is not None
    assert outcome.journal.shown == []
