"""What a seccomp filter answers: an interpreter of classic BPF, written from the kernel's documentation."""

from __future__ import annotations

import struct
from collections.abc import Sequence

X86_64, AARCH64, I386, ARM = 0xC000003E, 0xC00000B7, 0x40000003, 0x40000028
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000


def answer(program: bytes, architecture: int, number: int, arguments: Sequence[int] = ()) -> int:
    """The word that the program ends with. Fails at what the kernel would not take: a way out of the program, an odd load."""
    padded = [argument & 0xFFFFFFFFFFFFFFFF for argument in (*arguments, *[0] * 6)][:6]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, architecture, 0, *padded)
    instructions = list(struct.iter_unpack("<HBBI", program))
    at, word = 0, 0
    while True:
        code, met, unmet, value = instructions[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            assert value % 4 == 0
            (word,) = struct.unpack_from("<I", data, value)
        elif code == 0x54:
            word &= value
        else:
            at += met if _holds(code, word, value) else unmet


def _holds(code: int, word: int, value: int) -> bool:
    return {0x15: word == value, 0x25: word > value, 0x45: word & value != 0}[code]


def error(number: int) -> int:
    return ERROR | number
