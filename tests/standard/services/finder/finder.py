"""The retriever that LangChain's suites are run on."""

from __future__ import annotations

from typing import Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

_TEXTS = (
    "refunds take a week",
    "returns are free",
    "shipping takes two days",
    "the shop opens at nine",
    "gift cards last",
)


class Finder(BaseRetriever):
    """Gives the same documents for every query; `k` is how many."""

    k: int = 3

    def _get_relevant_documents(self, query: str, *, run_manager: Any, k: int | None = None) -> list[Document]:
        wanted = self.k if k is None else k
        return [Document(page_content=text, metadata={"query": query}) for text in _TEXTS[:wanted]]


finder = Finder()
