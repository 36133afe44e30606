"""What the handbook finds, with its real embeddings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.environments import run_in

QUESTIONS = {
    "How long does a refund take?": "refunds",
    "Can I get my money back to a different card?": "refunds",
    "who has to approve a 700 pound refund": "refunds",
    "what does the handbook say about refunds": "refunds",
    "How do I send something back?": "returns",
    "can flowers be returned": "returns",
    "swap for a bigger size": "returns",
    "picking up a sofa the customer does not want": "returns",
    "my present does not fit, I have no receipt": "returns",
    "what does next day delivery cost": "shipping",
    "my parcel never arrived": "shipping",
    "do you ship to Germany": "shipping",
    "nobody was home when the courier came": "shipping",
    "collect an order in the shop": "shipping",
    "how long is the warranty": "warranty",
    "my kettle broke after a year": "warranty",
    "the lamp sparks and smokes": "warranty",
    "spare screws for a wardrobe": "warranty",
    "how long do you keep recordings of phone calls": "privacy",
    "delete all my data": "privacy",
    "unsubscribe from the newsletter": "privacy",
    "I sent an email to the wrong customer": "privacy",
    "the customer's husband asks about her order": "privacy",
    "how soon must a complaint be answered": "complaints",
    "the customer insults me": "complaints",
    "ombudsman": "complaints",
    "can a gift card expire": "gift-cards",
    "I lost my gift card": "gift-cards",
    "how do discount codes work": "gift-cards",
    "forgot my password": "accounts",
    "loyalty points": "accounts",
    "merge two accounts": "accounts",
    "suspicious email asking for my PIN": "security",
    "somebody ordered with my account": "security",
    "lost phone with two factor codes": "security",
    "when is the shop open on Sunday": "opening-hours",
    "phone number hours of customer service": "opening-hours",
    "are dogs allowed in the shop": "opening-hours",
    "can I pay with American Express": "orders-and-payment",
    "my card was declined": "orders-and-payment",
    "cancel my order": "orders-and-payment",
    "pay in installments": "orders-and-payment",
    "the price dropped after I bought it": "orders-and-payment",
    "the item is sold out": "products-and-stock",
    "how to wash a wool jumper": "products-and-stock",
    "recycling old batteries": "products-and-stock",
    "who founded the company": "about",
    "I want to apply for a job": "about",
}
"""A question and the document that answers it."""


@pytest.fixture(scope="module")
def report() -> Any:
    return run_in("handbook", Path(__file__).with_name("searching.py"), json.dumps(list(QUESTIONS)))


def test_nearly_every_question_finds_its_document(report: Any) -> None:
    found = [[source.removesuffix(f"#{source.partition('#')[2]}") for source in hits] for hits in report["found"]]
    wanted = [f"{document}.md" for document in QUESTIONS.values()]
    first = sum(hits[0] == document for hits, document in zip(found, wanted, strict=True))
    among = sum(document in hits for hits, document in zip(found, wanted, strict=True))
    # Measured: 44 and 46 of 48. One less is left for processors that round differently.
    assert (first >= 43, among >= 45) == (True, True), (first, among)


def test_the_shipped_vectors_are_those_of_the_shipped_documents(report: Any) -> None:
    assert min(report["agree"]) > 0.995


def test_a_changed_passage_is_embedded_again_and_no_other(report: Any) -> None:
    assert report["stored"] == {"order": True, "only the changed": True}


def test_a_model_reads_passages_with_title_and_source(report: Any) -> None:
    first, second = report["content"].split("\n\n")
    assert first.startswith(
        "[Refunds: How long a refund takes] (refunds.md#how-long-a-refund-takes)\nWe start the refund"
    )
    assert second.startswith("[")


def test_the_artifact_holds_the_hits_best_first(report: Any) -> None:
    best, second = report["artifact"]
    assert {key: best[key] for key in ("title", "heading", "source")} == {
        "title": "Refunds",
        "heading": "How long a refund takes",
        "source": "refunds.md#how-long-a-refund-takes",
    }
    assert best["text"] in report["content"]
    assert 1 >= best["score"] >= second["score"] > 0


def test_the_arguments_are_bounded(report: Any) -> None:
    query, passages = report["schema"]["query"], report["schema"]["passages"]
    assert (query["minLength"], query["maxLength"]) == (1, 500)
    assert (passages["minimum"], passages["maximum"], passages["default"]) == (1, 8, 3)


def test_vectors_of_other_passages_are_refused(report: Any) -> None:
    assert report["mismatch"] == "76 passages but 75 vectors"


def test_the_process_can_be_forked(report: Any) -> None:
    """A thread that numpy or the embeddings had started would be missing in a fork."""
    assert report["threads"] == 1
