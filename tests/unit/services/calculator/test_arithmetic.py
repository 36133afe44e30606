"""What the calculator works out, exactly."""

from __future__ import annotations

import pytest

from services.calculator.calculator.arithmetic import evaluate
from services.calculator.calculator.numbers import written


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1234 * 5678", "7006652"),
        ("2**100", "1267650600228229401496703205376"),
        ("9007199254740993 + 0", "9007199254740993"),
        ("0.1 + 0.2", "0.3"),
        ("19.99 * 3", "59.97"),
        ("10 / 5", "2"),
        ("7 / 2", "3.5"),
        ("1 / 3", "0.3333333333333333333333333333 (rounded; exactly 1/3)"),
        ("1 / 3 * 3", "1"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("7 % 2.5", "2"),
        ("2 ** -2", "0.25"),
        ("-2 ** 2", "-4"),
        ("(1 + 2) * -(3 - 5)", "6"),
        ("1.5e3", "1500"),
        (".5 + 1.", "1.5"),
        ("1_000 + 0x10", "1016"),
        ("10 ** -30", "1E-30"),
        ("+5", "5"),
        ("  2 + 2  ", "4"),
    ],
)
def test_numbers_are_exact(expression: str, result: str) -> None:
    assert written(evaluate(expression)) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [("2^10 + 1", "1025"), ("6 × 7", "42"), ("84 ÷ 2", "42"), ("50 − 8", "42"), ("6·7", "42")],
)
def test_signs_that_people_write_are_understood(expression: str, result: str) -> None:
    assert written(evaluate(expression)) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("sqrt(144)", "12"),
        ("sqrt(0.25)", "0.5"),
        ("sqrt(2)", "1.4142135623730951"),
        ("2 ** 0.5", "1.4142135623730951"),
        ("round(2.675, 2)", "2.68"),
        ("round(7 / 2)", "4"),
        ("round(1234, -2)", "1200"),
        ("factorial(20)", "2432902008176640000"),
        ("gcd(12, 18)", "6"),
        ("lcm(4, 6, 10)", "60"),
        ("max(1, 2.5, 2)", "2.5"),
        ("min(3, 1, 2)", "1"),
        ("sum(1, 2, 3.5)", "6.5"),
        ("abs(-3) + ceil(1.2) + floor(1.8)", "6"),
        ("log(8, 2)", "3"),
        ("log10(1000) + log2(8) + log(e)", "7"),
        ("exp(0) + cos(0) + sin(0) + tan(0)", "2"),
        ("pi", "3.141592653589793"),
    ],
)
def test_functions(expression: str, result: str) -> None:
    assert written(evaluate(expression)) == result


def test_a_long_sum_is_worked_out() -> None:
    assert evaluate("1+" * 400 + "1") == 401


def test_a_fraction_too_long_to_show_is_only_rounded() -> None:
    assert written(evaluate("(1 / 3) ** 200")).endswith(" (rounded)")
