"""Stop words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.smollm.smollm.stops import Stops


def shown(pieces: list[str], words: list[str]) -> str:
    stops, text = Stops(words), ""
    for piece in pieces:
        text += stops.take(piece)
        if stops.found:
            return text
    return text + stops.rest()


@pytest.mark.parametrize(
    ("pieces", "words", "text"),
    [
        (["one two"], [], "one two"),
        (["one two"], [""], "one two"),
        (["one END two"], ["END"], "one "),
        (["one E", "N", "D two"], ["END"], "one "),
        (["one E", "NT", " two"], ["END"], "one ENT two"),
        (["one EN"], ["END"], "one EN"),
        (["aab"], ["ab"], "a"),
        (["a", "a", "b"], ["ab"], "a"),
        (["one two"], ["two", "one"], ""),
        (["END"], ["END"], ""),
    ],
)
def test_the_text_ends_before_the_first_stop_word(pieces: list[str], words: list[str], text: str) -> None:
    assert shown(pieces, words) == text


def test_what_cannot_be_a_stop_word_is_shown_at_once() -> None:
    stops = Stops(["END"])
    assert [stops.take(piece) for piece in ("one", " E", "N", "T")] == ["one", " ", "", "ENT"]


@given(st.lists(st.text("ab", max_size=4), max_size=8), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_however_the_text_is_cut_into_pieces_it_ends_at_the_same_place(pieces: list[str], words: list[str]) -> None:
    whole = "".join(pieces)
    places = [whole.find(word) for word in words if word in whole]
    # A short stop word may be complete before a longer one that begins earlier is: then the text ends there.
    text = shown(pieces, words)
    assert whole.startswith(text)
    assert not any(word in text for word in words)
    assert text == whole if not places else len(text) >= min(places)
