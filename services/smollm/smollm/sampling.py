"""What a caller may set for one answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_SEEDS = 2**31


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. With `temperature` 0 it is the likeliest one; `seed` makes the others repeatable."""

    seed: int
    temperature: float = 0.2
    top_p: float = 0.9
    top_k: int = 40
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


_BOUNDS: Mapping[str, tuple[type, float, float]] = {
    "seed": (int, 0, _SEEDS - 1),
    "temperature": (float, 0, 2),
    "top_p": (float, 0, 1),
    "top_k": (int, 1, 1000),
    "presence_penalty": (float, -2, 2),
    "frequency_penalty": (float, -2, 2),
}


def read_sampling(parameters: Mapping[str, Any], fresh_seed: int | None = None) -> tuple[Sampling, int | None]:
    """How to draw, and the most tokens that the caller wants.

    Raises ValueError for a value out of bounds, and for a parameter that would have no effect.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    lengths = [_within(name, given.pop(name), int, 1, float("inf")) for name in _LENGTHS if name in given]
    for name, value in given.items():
        if name not in _BOUNDS:
            raise ValueError(f"this model has no parameter {name}: it takes {', '.join((_LENGTHS[0], *_BOUNDS))}")
        given[name] = _within(name, value, *_BOUNDS[name])
    given.setdefault("seed", secrets.randbelow(_SEEDS) if fresh_seed is None else fresh_seed)
    return Sampling(**given), min(lengths, default=None)


def _within(name: str, value: Any, kind: type, least: float, most: float) -> Any:
    fits = isinstance(value, int) or (kind is float and isinstance(value, float))
    if isinstance(value, bool) or not fits or not least <= value <= most:
        what = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} must be {what} from {least:g} to {most:g}")
    return kind(value)
