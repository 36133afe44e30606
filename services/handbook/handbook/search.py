"""Nearest passages by the angle between embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .documents import Passage
from .embedding import Vectors


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found; `score` is the cosine of its angle to the question, higher is nearer."""

    passage: Passage
    score: float


class Search:
    """All passages with their vectors, shape (n, d); `embed` turns a question into a vector, shape (d,)."""

    def __init__(self, passages: Sequence[Passage], vectors: Vectors, embed: Callable[[str], Vectors]) -> None:
        if vectors.shape[0] != len(passages):
            raise ValueError(f"{len(passages)} passages but {vectors.shape[0]} vectors")
        self._passages = tuple(passages)
        self._vectors = vectors
        self._embed = embed

    def nearest(self, query: str, count: int) -> tuple[Hit, ...]:
        """The `count` nearest passages, best first."""
        scores = self._vectors @ self._embed(query)
        best = np.argsort(-scores, kind="stable")[:count]
        return tuple(Hit(self._passages[place], float(scores[place])) for place in best)
