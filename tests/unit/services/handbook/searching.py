"""Runs in the handbook's own environment: searches, and prints what was found as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from handbook.documents import Passage, read
from handbook.embedding import embed_passages, embed_query
from handbook.search import Search
from handbook.tool import handbook
from handbook.vectors import FILE, FOLDER, load, save

QUESTIONS: list[str] = json.loads(sys.argv[1])


def never(texts: list[str]) -> Any:
    raise AssertionError(f"{len(texts)} passages had to be embedded again")


def stored() -> dict[str, bool]:
    """How vectors are kept: what has changed is embedded again, and nothing else."""
    tea, milk = Passage("Tea", "Tea", "t.md#tea", "hot"), Passage("Milk", "Milk", "m.md#milk", "cold")
    asked: list[list[str]] = []

    def embed(texts: list[str]) -> Any:
        asked.append(texts)
        return np.eye(2, 384, dtype=np.float32)[: len(texts)]

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.npz"
        fresh = load([tea, milk], file, embed)
        save([tea, milk], fresh, file)
        again = load([milk, tea], file, never)
        load([tea, Passage("Milk", "Milk", "m.md#milk", "warm")], file, embed)
    return {
        "order": bool((again == fresh[::-1]).all()),
        "only the changed": asked == [["Tea: Tea. hot", "Milk: Milk. cold"], ["Milk: Milk. warm"]],
    }


passages = read(FOLDER)
vectors = load(passages, FILE, never)
sample = [0, len(passages) // 2, len(passages) - 1]
agree = [float(vectors[place] @ embed_passages([passages[place].whole])[0]) for place in sample]
search = Search(passages, vectors, embed_query)
message = handbook.invoke(
    {
        "type": "tool_call",
        "id": "1",
        "name": "handbook",
        "args": {"query": "Wie lange dauert eine Rückzahlung?", "passages": 2},
    }
)
try:
    Search(passages, vectors[1:], embed_query)
    mismatch = ""
except ValueError as error:
    mismatch = str(error)
print(
    json.dumps(
        {
            "found": [[hit.passage.source for hit in search.nearest(question, 3)] for question in QUESTIONS],
            "agree": agree,
            "stored": stored(),
            "content": message.content,
            "artifact": message.artifact,
            "schema": handbook.args,
            "mismatch": mismatch,
            "threads": len(list(Path("/proc/self/task").iterdir())),
        }
    )
)
