"""An assembler for classic BPF, as far as a seccomp filter needs it.

A block is a list of instructions whose every way ends in an answer. So a block can stand behind a condition, and nobody has to
count jumps: whatever does not meet the condition goes on behind the block.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_LOAD = 0x20
_AND = 0x54
_EQUAL = 0x15
_ABOVE = 0x25
_ANY_BIT = 0x45
_ANSWER = 0x06
_FORM = struct.Struct("<HBBI")


@dataclass(frozen=True)
class Instruction:
    """struct sock_filter of linux/filter.h: `met` and `unmet` are how many instructions a condition skips."""

    code: int
    value: int
    met: int = 0
    unmet: int = 0


Block = list[Instruction]


def load(offset: int) -> Block:
    """Takes up the 32-bit word at `offset` bytes of struct seccomp_data; what follows judges it."""
    return [Instruction(_LOAD, offset)]


def keep(bits: int) -> Block:
    """Leaves of the word only these bits."""
    return [Instruction(_AND, bits)]


def answer(value: int) -> Block:
    """Ends the program."""
    return [Instruction(_ANSWER, value)]


def if_equal(value: int, block: Block) -> Block:
    return [Instruction(_EQUAL, value, 0, len(block)), *block]


def if_other(value: int, block: Block) -> Block:
    return [Instruction(_EQUAL, value, len(block), 0), *block]


def if_above(value: int, block: Block) -> Block:
    """Where the word, without a sign, is greater than `value`."""
    return [Instruction(_ABOVE, value, 0, len(block)), *block]


def if_any_bit(bits: int, block: Block) -> Block:
    return [Instruction(_ANY_BIT, bits, 0, len(block)), *block]


def encode(block: Block) -> bytes:
    """The program as the kernel takes it. Raises struct.error at a block of more than 255 instructions behind a condition."""
    return b"".join(_FORM.pack(each.code, each.met, each.unmet, each.value) for each in block)
