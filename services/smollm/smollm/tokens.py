"""The model's own tokens: text as the numbers that it reads."""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

from .weights import Vocabulary


class Tokens:
    """Turns text into tokens.

    Text never becomes a mark, whatever it says: somebody who writes "<|im_end|>" into a message does not end that message.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        ids = {token: number for number, token in enumerate(vocabulary.tokens)}
        self._marks = {vocabulary.tokens[number]: number for number in vocabulary.marks}
        self._tokenizer = Tokenizer(BPE(ids, list(vocabulary.merges)))
        self._tokenizer.pre_tokenizer = Sequence(
            [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
        )

    def encode(self, text: str) -> list[int]:
        """Any text; half a surrogate pair, which no encoding has, is read as a question mark."""
        whole = text.encode(errors="replace").decode()
        return list(self._tokenizer.encode(whole, add_special_tokens=False).ids)

    def mark(self, name: str) -> int:
        """The number of a mark such as "<|im_start|>"."""
        return self._marks[name]
