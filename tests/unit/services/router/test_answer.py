"""What the router says."""

from __future__ import annotations

from services.router.router.answer import MAX_QUOTE, Outcome, answer, nothing_fits
from services.router.router.offers import Offer, Parameter, Role

CALCULATOR = Offer("calculator", "Arithmetic.\n\nMore.", (Parameter("expression", Role.EXPRESSION, required=True),))
PYTHON = Offer("python", "", (Parameter("code", Role.CODE, required=True),))


def test_a_number_stands_beside_its_expression() -> None:
    assert answer([Outcome("calculator", {"expression": "6 * 7"}, "42", failed=False)], []) == "6 * 7 = 42"
    told = Outcome("calculator", {"expression": "1 / 0"}, "Division by zero.", failed=False)
    assert answer([told], []) == "calculator on “1 / 0” says: Division by zero."


def test_a_short_answer_is_told_and_a_long_one_quoted() -> None:
    short = Outcome("clock", {}, "noon", failed=False)
    long = Outcome("handbook", {"query": "refunds"}, "[Refunds]\n\nThirty days.", failed=False)
    assert (
        answer([short, long], []) == "clock says: noon\n\nhandbook on “refunds” says:\n> [Refunds]\n>\n> Thirty days."
    )


def test_a_quote_is_cut_at_the_end_of_a_line() -> None:
    text = answer([Outcome("t", {}, "\n".join(["x" * 99] * 100), failed=False)], [])
    assert text.endswith("x\n> …")
    assert len(text.replace("> ", "")) < MAX_QUOTE + 50
    assert answer([Outcome("t", {}, "x" * 5000, failed=False)], []).endswith("x\n> …")


def test_a_failure_is_told_with_its_reason() -> None:
    failures = [
        Outcome("calculator", {"expression": "1 / 0"}, "Division by zero.", failed=True),
        Outcome("handbook", {"query": "refunds"}, "policy does not\nallow this call", failed=True),
        Outcome("python", {"code": "a\nb"}, "", failed=True),
    ]
    assert answer(failures, []).split("\n\n") == [
        "calculator could not answer on “1 / 0”: Division by zero.",
        "handbook could not answer on “refunds”: policy does not allow this call",
        "python could not answer: it gave no reason.",
    ]


def test_an_empty_answer_is_told() -> None:
    assert answer([Outcome("t", {}, " ", failed=False)], []) == "t answered nothing."


def test_what_is_left_open_is_told() -> None:
    assert answer([], ["sing a song"]) == "No tool of mine fits “sing a song”."
    assert answer([], ["x" * 400]).endswith("x…”.")


def test_it_says_that_it_is_no_language_model_and_what_it_can_do() -> None:
    text = nothing_fits([CALCULATOR, PYTHON])
    assert "not a language model" in text
    assert "- calculator: Arithmetic. Write the expression out, such as 12 * 34." in text
    assert "- python: no description Put the code between ``` marks." in text
    assert nothing_fits([]).endswith("No tools were given to me here.")
