"""A tokenizer whose tokens are characters, and an engine that says what it was told to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.smollm.smollm.engine import Token
from services.smollm.smollm.sampling import Sampling

START, END = -1, -2


class Letters:
    """Each character is a token of its own; the marks are negative."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def mark(self, name: str) -> int:
        return {"<|im_start|>": START, "<|im_end|>": END}[name]


def read(numbers: Sequence[int]) -> str:
    """What the numbers say, with the marks as angle brackets."""
    return "".join({START: "<", END: ">"}.get(number) or chr(number) for number in numbers)


class Reciter:
    """Says these tokens, one a question, then ends. It counts its questions and remembers what came with the last."""

    def __init__(self, *said: bytes) -> None:
        self._said: Iterator[bytes] = iter(said)
        self.asked = 0
        self.numbers: list[int] = []
        self.sampling: Sampling | None = None

    def next(self, numbers: Sequence[int], sampling: Sampling) -> Token:
        self.asked, self.numbers, self.sampling = self.asked + 1, list(numbers), sampling
        data = next(self._said, None)
        return Token(ends=True) if data is None else Token(900 + self.asked, data)
