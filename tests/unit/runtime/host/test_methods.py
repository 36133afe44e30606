"""The methods of each kind, and what an answer has to look like."""

from __future__ import annotations

import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.methods import KINDS, AnswerCheck, AnswerError, Method

CALL, STREAM = KINDS["tool"].methods
DONE = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK)


def _event(seq: int, last: bool = False) -> bytes:
    if last:
        return tool_pb2.ToolServiceStreamResponse(seq=seq, result=DONE).SerializeToString()
    progress = tool_pb2.ToolProgress(data_json=b"1")
    return tool_pb2.ToolServiceStreamResponse(seq=seq, progress=progress).SerializeToString()


def _check(method: Method, *messages: bytes) -> None:
    check = AnswerCheck(method)
    for message in messages:
        check.message(message)
    check.end()


def test_good_answers_pass() -> None:
    _check(CALL, tool_pb2.ToolServiceCallResponse(result=DONE).SerializeToString())
    _check(STREAM, _event(1), _event(2), _event(3, last=True))
    _check(STREAM, _event(1, last=True))


@pytest.mark.parametrize(
    ("method", "messages", "complete"),
    [
        (CALL, [], False),
        (CALL, [tool_pb2.ToolServiceCallResponse(result=DONE).SerializeToString()], True),
        (STREAM, [_event(1)], False),
        (STREAM, [_event(1), _event(2, last=True)], True),
    ],
)
def test_an_answer_is_complete_with_its_last_message(method: Method, messages: list[bytes], complete: bool) -> None:
    check = AnswerCheck(method)
    for message in messages:
        check.message(message)
    assert check.complete is complete


@pytest.mark.parametrize(
    ("method", "messages", "wrong"),
    [
        (CALL, [], "no message"),
        (CALL, [b"", b""], "after the last"),
        (CALL, [b"\xff\xff"], "is no ToolServiceCallResponse"),
        (STREAM, [], "without result"),
        (STREAM, [_event(1)], "without result"),
        (STREAM, [_event(1, last=True), _event(2, last=True)], "after the last"),
        (STREAM, [_event(1), _event(3, last=True)], "event 2 has the number 3"),
        (STREAM, [_event(0)], "event 1 has the number 0"),
        (STREAM, [b"\x08\x01"], "event 1 is empty"),
        (STREAM, [b"\xff"], "is no ToolServiceStreamResponse"),
    ],
)
def test_bad_answers_are_told_apart(method: Method, messages: list[bytes], wrong: str) -> None:
    with pytest.raises(AnswerError, match=wrong):
        _check(method, *messages)
