"""How a question is cut into clauses."""

from __future__ import annotations

import pytest

from services.router.router.clauses import Code, clauses


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("What is 2 + 2?", ["What is 2 + 2?"]),
        (
            "What is 1234 * 5678, and what does the handbook say about refunds?",
            ["What is 1234 * 5678", "what does the handbook say about refunds?"],
        ),
        ("How is it? And what is 24 * 365?", ["How is it? And what is 24 * 365?"]),
        ("Is there a warranty? And what is 24 * 365?", ["Is there a warranty?", "And what is 24 * 365?"]),
        ("Compute 5 + 5; compute 6 * 6", ["Compute 5 + 5", "compute 6 * 6"]),
        ("Compute 1.5 + 2. Then find refunds.", ["Compute 1.5 + 2.", "Then find refunds."]),
        ("refunds\nreturns", ["refunds", "returns"]),
        ("What is the sum of 3, 4 and 5?", ["What is the sum of 3, 4 and 5?"]),
        ("Tell me when and how I get a refund", ["Tell me when and how I get a refund"]),
        ("A customer is shouting at me, what should I do?", ["A customer is shouting at me, what should I do?"]),
        ("salt and pepper", ["salt and pepper"]),
        ("Run import math; print(math.pi)", ["Run import math; print(math.pi)"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_one_clause_for_each_thing_that_is_asked(question: str, texts: list[str]) -> None:
    assert [clause.text for clause in clauses(question)] == texts


def test_a_fence_stays_whole_and_belongs_to_the_words_before_it() -> None:
    (clause,) = clauses("Run this:\n```python\nx = 1; y = 2\n\nprint(x, y)? and what\n```")
    assert clause.code == (Code("x = 1; y = 2\n\nprint(x, y)? and what", "python", fenced=True),)
    assert clause.words == "Run this: code"


def test_inline_code_stays_whole() -> None:
    first, second = clauses("What does `a; b? and what` do, and what is 2 + 2?")
    assert first.code == (Code("a; b? and what", "", fenced=False),)
    assert (first.words, second.text) == ("What does code do", "what is 2 + 2?")


def test_a_fence_that_is_not_closed_reaches_to_the_end() -> None:
    (clause,) = clauses("```\nprint(1)")
    assert clause.code[0].text == "print(1)"


def test_placeholders_cannot_be_forged() -> None:
    (clause,) = clauses("say \0000\0 twice")
    assert clause.code == ()
