"""The tool that a model sees."""

from __future__ import annotations

from typing import Any

from langchain_core.tools import tool
from pydantic import BaseModel, Field

from .documents import read
from .embedding import embed_passages, embed_query
from .search import Hit, Search
from .vectors import FILE, FOLDER, load

# Made at import, so that the service is ready only when its index is.
_PASSAGES = read(FOLDER)
_SEARCH = Search(_PASSAGES, load(_PASSAGES, FILE, embed_passages), embed_query)


class HandbookArguments(BaseModel):
    """What the search takes."""

    query: str = Field(
        description="The question to search the handbook for, in plain words", min_length=1, max_length=500
    )
    passages: int = Field(default=3, description="How many passages to return", ge=1, le=8)


@tool("handbook", args_schema=HandbookArguments, response_format="content_and_artifact")
def handbook(query: str, passages: int = 3) -> tuple[str, list[dict[str, Any]]]:
    """Search the customer-service handbook of the shop Larkspur & Finch and return the passages that answer a question.

    It covers refunds, returns and exchanges, shipping and delivery, warranty and repairs, orders and payment, gift cards
    and vouchers, accounts and the loyalty club, privacy and personal data, security and fraud, complaints, products and
    stock, opening hours and contact, and what employees may promise or decide.
    """
    hits = _SEARCH.nearest(query, passages)
    return "\n\n".join(_shown(hit) for hit in hits), [_structured(hit) for hit in hits]


def _shown(hit: Hit) -> str:
    passage = hit.passage
    return f"[{passage.title}: {passage.heading}] ({passage.source})\n{passage.text}"


def _structured(hit: Hit) -> dict[str, Any]:
    passage = hit.passage
    return {
        "title": passage.title,
        "heading": passage.heading,
        "source": passage.source,
        "text": passage.text,
        "score": round(hit.score, 4),
    }
