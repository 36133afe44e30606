"""The calculator agrees with Python's exact fractions, whatever the expression."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.calculator.calculator.arithmetic import evaluate
from services.calculator.calculator.numbers import ArithmeticFault, written

_numbers = st.one_of(
    st.integers(0, 10**12).map(lambda number: (str(number), Fraction(number))),
    st.decimals(0, 10**6, places=3, allow_nan=False).map(lambda number: (str(number), Fraction(number))),
)


def _combined(parts: tuple[tuple[str, Fraction], str, tuple[str, Fraction]]) -> tuple[str, Fraction | None]:
    (left, left_value), sign, (right, right_value) = parts
    if left_value is None or right_value is None or (sign in "/%" and right_value == 0):
        return f"({left}) {sign} ({right})", None
    results = {
        "+": lambda: left_value + right_value,
        "-": lambda: left_value - right_value,
        "*": lambda: left_value * right_value,
        "/": lambda: left_value / right_value,
        "%": lambda: left_value % right_value,
    }
    return f"({left}) {sign} ({right})", results[sign]()


_expressions = st.recursive(
    _numbers, lambda inner: st.tuples(inner, st.sampled_from("+-*/%"), inner).map(_combined), max_leaves=12
)


@given(_expressions)
def test_results_are_exact(expression: tuple[str, Fraction | None]) -> None:
    text, expected = expression
    try:
        result = evaluate(text)
    except ArithmeticFault:
        assert expected is None or len(text) > 1000
    else:
        assert result == expected


@given(st.text(alphabet="0123456789.+-*/%()e, sqrtmaxpi_^", max_size=60))
def test_any_text_is_worked_out_or_refused_in_words(text: str) -> None:
    try:
        assert written(evaluate(text))
    except ArithmeticFault as fault:
        assert str(fault)
