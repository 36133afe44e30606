"""The embeddings that LangChain's suites are run on: a text's bytes, counted."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings


class Embedder(Embeddings):
    """Eight numbers a text, small enough to cross a wire of single precision unchanged."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        data = text.encode()
        return [sum(data[place::8]) / 64 for place in range(8)]


embedder = Embedder()
