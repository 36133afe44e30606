"""The calls on one worker, as the host routes its frames."""

from __future__ import annotations

import pytest
from firebreak_runtime.errors import ServedError, encode_error
from firebreak_runtime.frames import GRANT, MAX_CALL, Decoder, Frame, FrameError, Kind
from firebreak_runtime.worker_calls import WorkerCalls


class Wire:
    """What the host wrote and logged."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.logged: list[tuple[str, str]] = []
        decoder = Decoder(MAX_CALL)
        self.calls = WorkerCalls(
            lambda data: self.frames.extend(decoder.feed(data)),
            lambda error, text: self.logged.append((error.reason, text)),
        )


def test_calls_are_numbered_and_sent() -> None:
    wire = Wire()
    numbers = [wire.calls.begin({"method": "Call"}, b"r").number for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert [(frame.kind, frame.call) for frame in wire.frames] == [(Kind.CALL, number) for number in numbers]
    assert wire.calls.served == 3


async def test_frames_reach_their_call_only() -> None:
    wire = Wire()
    first, second = (wire.calls.begin({"method": "Call"}, b"") for _ in range(2))
    wire.calls.received(Frame(Kind.PART, 2, b"x"))
    wire.calls.received(Frame(Kind.EVENT, 1, b"one"))
    wire.calls.received(Frame(Kind.EVENT, 2, b"y"))
    wire.calls.received(Frame(Kind.RESULT, 1))
    assert [await first.next(), await first.next(), await second.next()] == [b"one", None, b"xy"]
    assert first not in wire.calls
    assert second in wire.calls


async def test_an_error_ends_its_call_and_its_text_goes_to_the_log() -> None:
    wire = Wire()
    exchange = wire.calls.begin({"method": "Call"}, b"")
    payload = encode_error(ServedError("AGENT_FAILED", "sorry"), "Traceback …")
    ended = wire.calls.received(Frame(Kind.ERROR, 1, payload))
    assert ended is not None
    assert ended.reason == "AGENT_FAILED"
    assert wire.logged == [("AGENT_FAILED", "Traceback …")]
    with pytest.raises(ServedError, match="sorry"):
        await exchange.next()


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Kind.EVENT, 9, b""),
        Frame(Kind.RESULT, 9),
        Frame(Kind.CALL, 1),
        Frame(Kind.CREDIT, 1, b"\x00\x00\x00\x01"),
        Frame(Kind.READY, 1),
    ],
)
def test_frames_that_make_no_sense_break_the_protocol(frame: Frame) -> None:
    wire = Wire()
    wire.calls.begin({"method": "Call"}, b"")
    with pytest.raises(FrameError):
        wire.calls.received(frame)


def test_unfinished_messages_of_all_calls_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firebreak_runtime.worker_calls.MOST_HELD", 15)
    wire = Wire()
    for _ in range(2):
        wire.calls.begin({"method": "Call"}, b"")
    wire.calls.received(Frame(Kind.PART, 1, b"0123456789"))
    with pytest.raises(FrameError, match="without an end"):
        wire.calls.received(Frame(Kind.PART, 2, b"0123456789"))


def test_a_second_ending_breaks_the_protocol() -> None:
    wire = Wire()
    wire.calls.begin({"method": "Call"}, b"")
    wire.calls.received(Frame(Kind.RESULT, 1))
    with pytest.raises(FrameError):
        wire.calls.received(Frame(Kind.RESULT, 1))


async def test_credit_goes_to_the_worker_by_call() -> None:
    wire = Wire()
    exchange = wire.calls.begin({"method": "Stream"}, b"")
    for _ in range(GRANT + 1):
        wire.calls.received(Frame(Kind.EVENT, 1, b"x"))
        await exchange.next()
    assert wire.frames[-1] == Frame(Kind.CREDIT, 1, GRANT.to_bytes(4, "big"))


async def test_all_calls_fail_together() -> None:
    wire = Wire()
    exchanges = [wire.calls.begin({"method": "Call"}, b"") for _ in range(2)]
    exchanges[0].abandoned = True
    assert wire.calls.wanted
    wire.calls.fail(ServedError("WORKER_DIED", "gone"))
    assert not wire.calls.wanted
    for exchange in exchanges:
        with pytest.raises(ServedError, match="gone"):
            await exchange.next()
