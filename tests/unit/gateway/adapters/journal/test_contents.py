"""The content part: what each way of recording keeps, and what it keeps nothing of."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest
from firebreak.v1 import record_pb2, tool_pb2
from google.rpc import error_details_pb2, status_pb2

from gateway.adapters.journal.contents.decode import Content, read_content
from gateway.adapters.journal.rows import OPENED, SALT
from gateway.call import Call
from gateway.config import Recording
from gateway.errors import CallError, Code, Reason
from gateway.routes import CATALOG_LIST, Action, Method
from gateway.service import Finish
from tests.unit.gateway.adapters.journal import recorded_calls
from tests.unit.gateway.adapters.journal.recorded_calls import (
    answer,
    answered_call,
    ended,
    known_call,
    request,
    unknown_call,
)
from tests.unit.gateway.routed_fakes import SYNC, call_of, orders

FULL, MASKED, HASHED, NONE = Recording.FULL, Recording.MASKED, Recording.HASHED, Recording.NONE


def kept(call: Call, outcome: Finish | BaseException | None = None, *, inline: int = 4096, **entry: Any) -> Content:
    """What can be read of `call` afterwards."""
    draft, apart = recorded_calls.drafter(inline).draft(ended(call, outcome, **entry))
    assert draft.content is not None
    assert draft.content[:SALT] == recorded_calls.entropy(SALT)
    return read_content(draft.content, dict(apart).get)


def test_full_is_byte_for_byte_even_of_what_is_no_message() -> None:
    content = kept(replace(answered_call(answers=(b"\xff", b"")), request=b"\xfe"))
    assert (content.request.messages, content.request.exact) == ((b"\xfe",), True)
    assert (content.answers.messages, content.answers.exact) == ((b"\xff", b""), True)
    assert (content.answers.recording, content.answers.size, content.answers.count) == (FULL, 1, 2)


def test_masked_replaces_and_says_that_it_did() -> None:
    sent = request(b'{"password":"hunter2","expression":"1"}')
    content = kept(answered_call({}, sent=sent))
    assert (content.request.recording, content.request.exact) == (MASKED, False)
    assert content.request.messages == (request(b'{"password":"[masked]","expression":"1"}'),)
    assert (content.answers.messages, content.answers.exact) == ((answer(),), True)


def test_the_targets_own_names_are_masked_too() -> None:
    sent = request(b'{"Badge-No":17}')
    assert kept(answered_call({}, sent=sent)).request.messages == (sent,)
    masked = kept(answered_call({"mask": ["badge_no"]}, sent=sent)).request
    assert masked.messages == (request(b'{"Badge-No":"[masked]"}'),)


def test_hashed_keeps_a_keyed_hash_only() -> None:
    content = kept(answered_call({"requests": "hashed", "answers": "hashed"}))
    body = record_pb2.RecordedMessages(messages=[request()]).SerializeToString()
    assert content.request.digest == hmac.digest(recorded_calls.SALT, body, hashlib.sha256)
    assert (content.request.messages, content.request.exact) == (None, False)
    assert content.answers.digest not in (b"", content.request.digest)
    assert (content.answers.size, content.answers.count) == (len(answer()), 1)


def test_none_keeps_sizes_only() -> None:
    call = answered_call({"requests": "none", "answers": "none"})
    call.facts.answers = []
    content = kept(call)
    assert (content.request.size, content.request.count) == (len(request()), 1)
    assert (content.answers.size, content.answers.count) == (len(answer()), 1)
    assert (content.answers.messages, content.answers.digest, content.answers.exact) == (None, b"", False)


def test_of_a_request_that_was_refused_for_its_size_only_the_size_is_kept() -> None:
    for recording in ("full", "masked", "hashed"):
        call = replace(answered_call({"requests": recording}), request=b"")
        call.facts.request_bytes = 10 * 1024**2
        content = kept(call).request
        assert (content.size, content.count, content.cut, content.exact) == (10 * 1024**2, 1, True, False)
        assert (content.digest, content.messages) == (b"", None)


def test_what_is_larger_than_inline_goes_apart_under_its_hash() -> None:
    body = record_pb2.RecordedMessages(messages=[request()]).SerializeToString()
    for inline, expected in ((len(body), []), (len(body) - 1, [(hashlib.sha256(body).digest(), body)])):
        draft, apart = recorded_calls.drafter(inline).draft(ended(answered_call()))
        assert apart == expected
        assert draft.content is not None
        assert read_content(draft.content, dict(apart).get).request.messages == (request(),)
        assert read_content(draft.content, lambda _: None).request.missing is bool(expected)


def test_answers_that_were_cut_are_not_exact_and_have_no_hash() -> None:
    for recording in ("full", "masked", "hashed"):
        call = answered_call({"answers": recording})
        call.facts.answers_cut, call.facts.events, call.facts.response_bytes = True, 3, 1000
        content = kept(call)
        assert (content.answers.cut, content.answers.exact) == (True, False)
        assert (content.answers.digest, content.answers.size, content.answers.count) == (b"", 1000, 3)
        assert content.answers.messages == (None if recording == "hashed" else (answer(),))


def test_answers_of_which_nothing_is_at_hand_are_not_taken_for_none_at_all() -> None:
    for recording in ("full", "masked", "hashed"):
        call = answered_call({"answers": recording})
        call.facts.answers, call.facts.answers_cut = [], True
        content = kept(call)
        assert (content.answers.messages, content.answers.exact, content.answers.digest) == (None, False, b"")


def test_a_call_without_an_answer_has_none_exactly() -> None:
    content = kept(known_call(request()), CallError(Reason.RATE_LIMITED, "Slower."))
    assert (content.answers.messages, content.answers.count, content.answers.exact) == ((), 0, True)


def test_a_call_that_goes_on_has_its_request_and_no_status() -> None:
    call = answered_call()
    call.facts.answers, call.facts.response_bytes, call.facts.events = [], 0, 0
    draft, _ = recorded_calls.drafter().draft(replace(ended(call, kind=OPENED), outcome=None))
    assert draft.content is not None
    content = read_content(draft.content, lambda _: None)
    assert (content.request.messages, content.status_message) == ((request(),), "")


def test_what_a_stranger_sent_is_not_kept() -> None:
    content = kept(unknown_call(b"anything"))
    assert (content.request.messages, content.request.size, content.request.recording) == (None, 8, NONE)


def test_a_known_caller_without_a_target_is_recorded_masked() -> None:
    content = kept(known_call(request()))
    assert (content.request.recording, content.request.messages) == (MASKED, (request(),))
    assert kept(known_call(b"\xff")).request.messages is None
    odd = Method("/strange.Service/Method", None, Action.GATEWAY)
    assert kept(known_call(request(), method=odd)).request.recording is NONE


def test_the_gateways_own_services_are_recorded_masked() -> None:
    assert kept(known_call(b"\x08\x02", method=CATALOG_LIST)).request.messages == (b"\x08\x02",)


def failure(words: str) -> CallError:
    return CallError(Reason.CONTRACT_VIOLATED, words, metadata={"target": "calculator", "password": "hunter2"})


def test_the_words_of_a_failure_are_treated_as_the_answers() -> None:
    error = failure("Ask ada@example.org.")
    for recording, words in (
        ("full", "Ask ada@example.org."),
        ("masked", "Ask [masked:email]."),
        ("hashed", ""),
        ("none", ""),
    ):
        content = kept(answered_call({"answers": recording}), error, code=Code.INTERNAL)
        assert content.status_message == words
        assert bool(content.status_details) is bool(words)
        assert (b"hunter2" in content.status_details) is (recording == "full")


def test_masked_details_still_say_what_went_wrong() -> None:
    content = kept(answered_call({}), failure("No."))
    status = status_pb2.Status.FromString(content.status_details)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.message, info.reason, info.domain) == ("No.", "CONTRACT_VIOLATED", "firebreak.dev")
    assert dict(info.metadata) == {"call_id": "0" * 32, "target": "calculator", "password": "[masked]"}


def test_the_targets_own_status_is_kept_with_its_details() -> None:
    details = status_pb2.Status(code=9, message="Not now.").SerializeToString()
    finish = Finish(Code.FAILED_PRECONDITION, "Not now.", (("grpc-status-details-bin", details),))
    content = kept(answered_call(), finish)
    assert (content.status_message, content.status_details) == ("Not now.", details)
    assert kept(answered_call({}), finish).status_details == details


@pytest.mark.parametrize("details", [b"\xff", status_pb2.Status(details=[{"type_url": "x/y", "value": b"\xff"}])])
def test_details_that_nobody_can_read_are_not_kept_masked(details: Any) -> None:
    data = details if isinstance(details, bytes) else details.SerializeToString()
    content = kept(answered_call({}), Finish(Code.INTERNAL, "Odd \ud800.", (("grpc-status-details-bin", data),)))
    assert (content.status_message, content.status_details) == ("Odd ?.", b"")


def test_a_cancelled_call_has_no_words() -> None:
    assert kept(answered_call(), KeyboardInterrupt("secret"), code=Code.CANCELLED).status_message == ""


def test_a_large_stream_is_kept_whole() -> None:
    events = tuple(
        tool_pb2.ToolServiceStreamResponse(seq=n, progress={"data_json": b'"%d"' % n}).SerializeToString()
        for n in range(1, 999)
    )
    content = kept(answered_call(answers=events))
    assert (content.answers.messages, content.answers.exact) == (events, True)


def streamed(*messages: bytes, **recorded: str) -> Call:
    """A call of a routed service that streamed its request, and was answered with the same."""
    target = orders(journal=recorded)
    call = call_of(target, SYNC)
    facts = call.facts
    facts.target, facts.resolved, facts.principal = "orders", target, "user:ada"
    facts.requests = facts.events = len(messages)
    facts.request_bytes = facts.response_bytes = sum(map(len, messages))
    facts.asks, facts.answers = list(messages), list(messages)
    return call


def test_messages_that_nothing_describes_are_kept_byte_for_byte() -> None:
    content = kept(streamed(b"\xff", b"\x00", requests="full", answers="full"))
    for part in (content.request, content.answers):
        assert (part.messages, part.exact, part.size, part.count) == ((b"\xff", b"\x00"), True, 2, 2)


def test_a_streamed_request_is_hashed_as_a_whole() -> None:
    def digest(*messages: bytes) -> bytes:
        content = kept(streamed(*messages, requests="hashed", answers="none"))
        assert (content.request.messages, content.request.size) == (None, sum(map(len, messages)))
        assert (content.answers.digest, content.answers.count) == (b"", len(messages))
        return content.request.digest

    assert digest(b"a", b"b") == digest(b"a", b"b")
    assert digest(b"a", b"b") not in (digest(b"ab"), digest(b"b", b"a"), b"")


def test_a_streamed_request_that_found_no_room_is_not_hashed() -> None:
    call = streamed(b"a", b"b", requests="hashed", answers="none")
    call.facts.asks.pop()
    call.facts.asks_cut = True
    part = kept(call).request
    assert (part.cut, part.digest, part.count) == (True, b"", 2)


def test_a_streamed_request_that_was_refused_has_no_messages() -> None:
    part = kept(streamed(requests="full", answers="full")).request
    assert (part.count, part.size, part.messages) == (0, 0, ())
