"""What a model reports is read as it passes; what it does not report is counted by size, and never for nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from firebreak.v1 import model_pb2, payload_pb2

from gateway import usage
from gateway.call import Attempt, Call
from gateway.core.usage import UsageTable, Used
from gateway.errors import CallError, Code, Reason
from gateway.routes import METHODS
from gateway.service import Finish
from tests.unit.gateway.chain_fakes import MODEL_GENERATE, call, permitted, target

MODEL_STREAM = METHODS["/firebreak.v1.ModelService/Stream"]
Generated, Event = model_pb2.ModelServiceGenerateResponse, model_pb2.ModelServiceStreamResponse


def message(text: str = "", used: tuple[int, int] | None = None, **fields: Any) -> payload_pb2.Message:
    content = [payload_pb2.ContentBlock(text=text)] if text else []
    made = payload_pb2.Message(role=payload_pb2.ROLE_ASSISTANT, content=content, **fields)
    if used is not None:
        made.usage.input_tokens, made.usage.output_tokens = used
    return made


def model_call(streams: bool = False, request: bytes = b"r" * 30, answer: int | None = None) -> Call:
    """A call that reached its target."""
    model = target("router", "model", limits={"tokens": {"answer": answer}})
    made = permitted(call(MODEL_STREAM if streams else MODEL_GENERATE, request), model)
    made.facts.attempts.append(Attempt(0.1, Code.OK))
    return made


def after(made: Call, *said: Any) -> Call:
    for each in said:
        usage.read(made, each)
        made.facts.events += 1
    return made


def test_only_calls_of_models_use_tokens() -> None:
    metered = {name for name, method in METHODS.items() if usage.is_metered(method)}
    assert metered == {"/firebreak.v1.ModelService/Generate", "/firebreak.v1.ModelService/Stream"}


def test_what_the_model_reports_counts() -> None:
    made = after(model_call(), Generated(message=message("hello", (12, 3))))
    assert usage.settle(made, Finish()) == Used(12, 3)


def test_a_stream_is_counted_by_its_terminal_event() -> None:
    pieces = [Event(chunk=message("hel", (12, 1))), Event(chunk=message("lo", (0, 2)))]
    made = after(model_call(True), *pieces)
    assert made.facts.used is None
    after(made, Event(finished=message("hello", (12, 3))))
    assert usage.settle(made, Finish()) == Used(12, 3)


def test_a_caller_who_leaves_before_it_has_read_the_end_pays_all_the_same() -> None:
    made = after(model_call(), Generated(message=message("hello", (12, 3))))
    assert usage.settle(made, asyncio.CancelledError()) == Used(12, 3)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ((1, 0), Used(1, 0)),
        ((0, 7), Used(10, 2, estimated=True)),
        ((-5, 7), Used(10, 2, estimated=True)),
        ((5, -7), Used(10, 2, estimated=True)),
        ((10**9, 10**9), Used(10**9, 10**9)),
        ((2**62, 2**62), Used(10**9, 10**9)),
        (None, Used(10, 2, estimated=True)),
    ],
)
def test_a_report_that_cannot_be_true_is_none(reported: tuple[int, int] | None, expected: Used) -> None:
    assert usage.settle(after(model_call(), Generated(message=message("hello", reported))), Finish()) == expected


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (3, 1), (4, 2)])
def test_without_a_report_every_three_bytes_begun_are_a_token(size: int, tokens: int) -> None:
    made = after(model_call(request=b"r" * size), Generated(message=message("a" * size)))
    assert usage.settle(made, Finish()) == Used(tokens, tokens, estimated=True)


def test_all_that_a_model_writes_has_a_size() -> None:
    block = payload_pb2.ContentBlock(json=b'{"type":"x"}')
    asked = payload_pb2.ToolRequest(name="add", args_json=b'{"a":1}')
    written = payload_pb2.Message(content=[block, payload_pb2.ContentBlock(text="漢字")], tool_requests=[asked])
    assert after(model_call(), Generated(message=written)).facts.answer_text == 12 + 6 + 3 + 7


def test_a_stream_without_a_report_counts_once_and_no_less_than_its_pieces() -> None:
    made = after(model_call(True), Event(chunk=message("abc")), Event(chunk=message("def")))
    assert usage.settle(made, asyncio.CancelledError()) == Used(10, 2, estimated=True)
    assert usage.settle(after(made, Event(finished=message("abcdef"))), Finish()) == Used(10, 2, estimated=True)
    assert usage.settle(after(made, Event(finished=message("ab"))), Finish()) == Used(10, 2, estimated=True)


CUT_OFF = [
    asyncio.CancelledError(),
    CallError(Reason.DEADLINE_EXCEEDED, "late"),
    CallError(Reason.RESPONSE_TOO_LARGE, "x"),
]
BY_ITSELF = [Finish(Code.INTERNAL, reason="MODEL_FAILED"), CallError(Reason.TARGET_UNAVAILABLE, "gone")]


@pytest.mark.parametrize("ended", CUT_OFF)
@pytest.mark.parametrize(("longest", "output"), [(500, 500), (None, 0)])
def test_a_call_that_was_cut_off_before_anything_came_counts_as_the_longest_answer(
    ended: BaseException, longest: int | None, output: int
) -> None:
    assert usage.settle(model_call(answer=longest), ended) == Used(10, output, estimated=True)


@pytest.mark.parametrize("ended", BY_ITSELF)
def test_a_target_that_fails_without_a_word_costs_nothing(ended: Any) -> None:
    assert usage.settle(model_call(answer=500), ended) is None


@pytest.mark.parametrize("ended", [*CUT_OFF, *BY_ITSELF])
def test_what_came_before_the_end_counts_however_it_ended(ended: Any) -> None:
    made = after(model_call(True, answer=500), Event(chunk=message("abc")))
    assert usage.settle(made, ended) == Used(10, 1, estimated=True)


def test_a_call_that_never_reached_the_target_costs_nothing() -> None:
    made = model_call()
    made.facts.attempts.clear()
    assert usage.settle(made, CallError(Reason.CIRCUIT_OPEN, "resting")) is None
    assert usage.settle(made, asyncio.CancelledError()) is None


def test_reports_are_sorted_and_only_one_of_them_names_principals() -> None:
    table = UsageTable(limit=2)
    for who, model in (("user:bob", "small"), ("user:bob", "router"), ("user:ada", "small")):
        table.add(who, model, Used(2, 1, estimated=who == "user:ada"))
    models = [
        {"target": "router", "calls": 1, "input_tokens": 2, "output_tokens": 1, "estimated_calls": 0},
        {"target": "small", "calls": 2, "input_tokens": 4, "output_tokens": 2, "estimated_calls": 1},
    ]
    assert usage.totals(table) == models
    report = usage.report(table)
    assert (report["models"], report["forgotten"]) == (models, 1)
    assert [(pair["principal"], pair["target"], pair["calls"]) for pair in report["principals"]] == [
        ("user:ada", "small", 1),
        ("user:bob", "router", 1),
    ]
