"""Masking whatever comes: nothing found twice, nothing let through, and time in proportion to the text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from firebreak.v1 import agent_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.journal.contents.json_masking import Names, mask_json
from gateway.adapters.journal.contents.marks import mask
from gateway.adapters.journal.contents.masking import messages

MARKS = (
    *("ada@example.org", "4111 1111 1111 1111", "DE89370400440532013000", "+49 30 12345678", "AKIAIOSFODNN7EXAMPLE"),
    *("sk-abcdefghijklmnopqrst", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "password=hunter2 "),
)
HOSTILE = (
    *(
        "@",
        "a@",
        ".a",
        "a.",
        "eyJ",
        "eyJaaaaaaaa.",
        "-",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "bearer ",
        "Bearer\t",
    ),
    *(
        "sk-",
        "xoxb-",
        "+1",
        "+1 ",
        "4",
        "4 ",
        "4111 ",
        "1-",
        "DE89",
        "DE89 ",
        "A1 ",
        "password",
        "password:",
        "cookie=",
        '"',
    ),
    *("\\", " ", "\n", "a", "token", "_key=", "'", "é", "%", "key", "ghp_", "secret:[", "authorization: \\"),
)
TEXTS = st.lists(st.one_of(st.sampled_from(MARKS + HOSTILE), st.text(max_size=5)), max_size=30).map(" ".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.sampled_from(["password", "a"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(TEXTS)
def test_what_is_masked_stays_so(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


@given(st.text(alphabet="xyz ,;\n", max_size=40), st.sampled_from(MARKS), st.text(alphabet="xyz ,;\n", max_size=40))
def test_a_mark_between_words_does_not_get_through(before: str, mark: str, after: str) -> None:
    assert mark not in mask(f"{before} {mark} {after}")


@given(VALUES)
def test_masked_json_is_json_without_the_marks(value: Any) -> None:
    masked = mask_json(orjson.dumps(value), Names())
    orjson.loads(masked)
    assert [mark for mark in MARKS if mark in masked.decode()] == []


@given(st.binary(max_size=200))
def test_any_bytes_can_be_masked(data: bytes) -> None:
    mask_json(data, Names())
    messages(agent_pb2.AgentServiceRunResponse, [data, data], ())


@given(st.sampled_from(MARKS), st.data())
def test_no_cut_of_a_stream_lets_a_mark_through(mark: str, data: st.DataObject) -> None:
    text = f"see {mark} there"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    events = [
        agent_pb2.AgentServiceRunResponse(seq=seq, content_delta=agent_pb2.ContentDelta(message_id="m", text=piece))
        for seq, piece in enumerate(pieces, 1)
    ]
    kept = messages(agent_pb2.AgentServiceRunResponse, [event.SerializeToString() for event in events], ())
    read = [agent_pb2.AgentServiceRunResponse.FromString(each).content_delta.text for each in kept or ()]
    assert mark not in "".join(read)


def seconds(action: Callable[[], object]) -> float:
    """Of this thread's own time: what else the machine does is not counted."""
    took = []
    for _ in range(3):
        start = time.thread_time()
        action()
        took.append(time.thread_time() - start)
    return min(took)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3).map("".join))
def test_time_is_in_proportion_to_the_text(piece: str) -> None:
    short = piece * (8_000 // len(piece))
    # Eight times the text: quadratic time would take 64 times as long.
    once, eight = seconds(lambda: mask(short)), seconds(lambda: mask(short * 8))
    assert eight < max(24 * once, 0.05)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_large_text_of_one_piece_takes_no_long_time(piece: str) -> None:
    assert seconds(lambda: mask(piece * (256 * 1024 // len(piece)))) < 2
