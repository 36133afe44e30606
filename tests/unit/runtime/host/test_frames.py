"""The frames between host and worker."""

from __future__ import annotations

import pytest
from firebreak_runtime.frames import (
    CHUNK,
    HEADER,
    Decoder,
    Frame,
    FrameError,
    Kind,
    decode_call,
    encode,
    encode_call,
    encode_message,
)
from hypothesis import given
from hypothesis import strategies as st

FRAMES = st.lists(
    st.builds(Frame, st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=200)), max_size=8
)


@given(frames=FRAMES, cuts=st.lists(st.integers(1, 50), min_size=1))
def test_frames_survive_any_cutting_of_the_stream(frames: list[Frame], cuts: list[int]) -> None:
    data = b"".join(encode(frame.kind, frame.call, frame.payload) for frame in frames)
    decoder, found, index = Decoder(200), [], 0
    while data:
        size = cuts[index % len(cuts)]
        found += decoder.feed(data[:size])
        data, index = data[size:], index + 1
    assert found == frames


@given(data=st.binary(max_size=400))
def test_any_bytes_give_frames_or_a_frame_error(data: bytes) -> None:
    try:
        frames = list(Decoder(100).feed(data))
    except FrameError:
        return
    assert sum(HEADER.size + len(frame.payload) for frame in frames) <= len(data)


def test_a_length_beyond_the_limit_is_refused_by_the_header_alone() -> None:
    with pytest.raises(FrameError, match="1073741824 bytes"):
        list(Decoder(CHUNK).feed(HEADER.pack(1024**3, Kind.EVENT, 1)))


def test_an_unknown_kind_is_refused() -> None:
    for kind in (0, 11, 255):
        with pytest.raises(FrameError, match="unknown kind"):
            list(Decoder(CHUNK).feed(HEADER.pack(0, kind, 1)))


def test_frames_before_the_broken_one_are_given() -> None:
    stream = Decoder(CHUNK).feed(encode(Kind.EVENT, 1, b"good") + b"\xff" * 9)
    assert next(stream) == Frame(Kind.EVENT, 1, b"good")
    with pytest.raises(FrameError):
        next(stream)


@given(request=st.binary(max_size=300), session=st.text(max_size=20))
def test_a_call_carries_header_and_request(request: bytes, session: str) -> None:
    header = {"method": "Call", "deadline": 1.5, "session": session.encode("utf-8", "replace").decode()}
    (frame,) = Decoder(10_000).feed(encode_call(7, header, request))
    assert (frame.kind, frame.call) == (Kind.CALL, 7)
    assert decode_call(frame.payload) == (header, request)


def test_a_header_that_is_too_long_is_an_error() -> None:
    with pytest.raises(FrameError):
        encode_call(1, {"session": "x" * 70_000}, b"")


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 1])
def test_a_message_is_cut_into_parts_and_one_event(size: int) -> None:
    message = bytes(size % 251 for size in range(size))
    frames = list(Decoder(CHUNK).feed(b"".join(encode_message(3, message))))
    assert b"".join(frame.payload for frame in frames) == message
    assert [frame.kind for frame in frames] == [Kind.PART] * (len(frames) - 1) + [Kind.EVENT]
    assert all(len(frame.payload) <= CHUNK for frame in frames)
