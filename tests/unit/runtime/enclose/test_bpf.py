"""The assembler, by what its programs answer."""

from __future__ import annotations

import struct

import pytest
from firebreak_runtime import bpf
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.runtime.enclose.filters import answer

WORDS = st.integers(0, 2**32 - 1)


def _judges(word: int, *blocks: bpf.Block) -> int:
    """The answer to a system call of number `word`; 9 where no condition is met."""
    program = [*bpf.load(0), *[each for block in blocks for each in block], *bpf.answer(9)]
    return answer(bpf.encode(program), 0, word)


@given(word=WORDS, value=WORDS)
def test_each_condition_takes_its_block_or_goes_on_behind_it(word: int, value: int) -> None:
    yes = bpf.answer(1)
    assert _judges(word, bpf.if_equal(value, yes)) == (1 if word == value else 9)
    assert _judges(word, bpf.if_other(value, yes)) == (1 if word != value else 9)
    assert _judges(word, bpf.if_above(value, yes)) == (1 if word > value else 9)
    assert _judges(word, bpf.if_any_bit(value, yes)) == (1 if word & value else 9)
    assert _judges(word, bpf.keep(value), bpf.if_equal(word & value, yes)) == 1


@pytest.mark.parametrize(("word", "wanted"), [(5, 1), (6, 2), (7, 3), (8, 9)])
def test_conditions_nest_and_follow_each_other(word: int, wanted: int) -> None:
    inner = [*bpf.if_equal(5, bpf.answer(1)), *bpf.if_equal(6, bpf.answer(2)), *bpf.answer(3)]
    assert _judges(word, bpf.if_above(7, bpf.answer(9)), bpf.if_above(4, inner)) == wanted


def test_a_block_that_no_condition_can_skip_is_refused() -> None:
    with pytest.raises(struct.error):
        bpf.encode(bpf.if_equal(1, bpf.answer(0) * 256))
