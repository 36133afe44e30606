"""The documents' vectors, worked out beforehand: embedding all of them takes many seconds, reading them a few milliseconds.

    python -m handbook.vectors

writes vectors.npz beside this package. Each vector is kept under the hash of its text: a passage that has changed since
is embedded when the service starts, so an old file makes the start slower and never an answer wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .documents import Passage, read
from .embedding import Vectors, embed_passages

FOLDER = Path(__file__).resolve().parent.parent / "documents"
FILE = FOLDER.parent / "vectors.npz"


def load(passages: Sequence[Passage], file: Path, embed: Callable[[list[str]], Vectors]) -> Vectors:
    """A unit vector for each passage, shape (n, 384): from the file where it has them, the others embedded now."""
    known = _known(file)
    missing = [passage for passage in passages if _digest(passage) not in known]
    if missing:
        vectors = embed([passage.whole for passage in missing])
        known |= {_digest(passage): vector for passage, vector in zip(missing, vectors, strict=True)}
    return np.stack([known[_digest(passage)] for passage in passages])


def save(passages: Sequence[Passage], vectors: Vectors, file: Path) -> None:
    """Writes the vectors of these passages and no others; half precision, which moves no ranking."""
    digests = np.array([_digest(passage) for passage in passages])
    np.savez_compressed(file, digests=digests, vectors=vectors.astype(np.float16))


def _known(file: Path) -> dict[str, Vectors]:
    if not file.exists():
        return {}
    with np.load(file, allow_pickle=False) as stored:
        vectors = stored["vectors"].astype(np.float32)
        return dict(zip(stored["digests"].tolist(), vectors, strict=True))


def _digest(passage: Passage) -> str:
    return hashlib.sha256(passage.whole.encode()).hexdigest()


if __name__ == "__main__":
    everything = read(FOLDER)
    save(everything, embed_passages([passage.whole for passage in everything]), FILE)
    print(f"{len(everything)} passages embedded into {FILE.name}")
