"""Which arithmetic is found in a clause."""

from __future__ import annotations

import pytest

from services.router.router.expressions import expressions


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        ("What is 1234 * 5678?", ["1234 * 5678"]),
        ("Calculate (3 + 4) * 12 / 7", ["(3 + 4) * 12 / 7"]),
        ("How much is 15% of 80?", ["15 / 100 * 80"]),
        ("20 percent of 45.50", ["20 / 100 * 45.50"]),
        ("what's the square root of 144", ["sqrt(144)"]),
        ("the square root of (16 + 9)", ["sqrt(16 + 9)"]),
        ("2 to the power of 64", ["2 ** 64"]),
        ("how much 2^16 is", ["2 ** 16"]),
        ("add 17 and 25", ["17 + 25"]),
        ("subtract 19 from 100", ["100 - 19"]),
        ("multiply 48 by 17", ["48 * 17"]),
        ("divide 1000 by 37 please", ["1000 / 37"]),
        ("Twelve times twelve", ["12 * 12"]),
        ("seven plus eight", ["7 + 8"]),
        ("1,250,000 divided by 8", ["1250000 / 8"]),
        ("3.5 x 2.25", ["3.5 * 2.25"]),
        ("6 × 7 ÷ 2", ["6 * 7 / 2"]),
        ("£19.99 * 3", ["19.99 * 3"]),
        ("5 squared plus 2 cubed", ["5 ** 2 + 2 ** 3"]),
        ("17 mod 5", ["17 % 5"]),
        ("the average of 4, 8 and 15", ["(4 + 8 + 15) / 3"]),
        ("the sum of 1, 2 and 3", ["1 + 2 + 3"]),
        ("the product of 6 and 7", ["6 * 7"]),
        ("the difference between 9 and 4", ["9 - 4"]),
        ("half of 9 ", ["9 / 2"]),
        ("twice 21", ["2 * 21"]),
        ("10! ?", ["factorial(10)"]),
        ("max(3, 4) + 1", ["max(3, 4) + 1"]),
        ("(1 + 2 =", ["1 + 2"]),
        ("2 + 2 and 3 * 3", ["2 + 2", "3 * 3"]),
        ("-5 + 3", ["-5 + 3"]),
    ],
)
def test_arithmetic_is_found_in_words_and_signs(clause: str, found: list[str]) -> None:
    assert [part.expression for part in expressions(clause)] == found


@pytest.mark.parametrize(
    "clause",
    [
        "",
        "refunds",
        "I have 30 days",
        "order 12345",
        "on 2024-01-15",
        "call 5",
        "-5",
        "version 1.2.3",
        "a - b",
        "x2 + y3",
        "(7)",
    ],
)
def test_numbers_alone_are_no_arithmetic(clause: str) -> None:
    assert expressions(clause) == ()


def test_an_expression_explains_less_of_a_longer_clause() -> None:
    alone, beside = expressions("what is 24 / 7?")[0], expressions("is the support hotline open 24 / 7?")[0]
    assert alone.explains == 1
    assert beside.explains == pytest.approx(1 / 4)
