"""The numbers that the calculator works on: exact where they can be, bounded always."""

from __future__ import annotations

import math
import re
from decimal import Decimal, localcontext
from fractions import Fraction

Number = int | Fraction | float
"""An int or a Fraction is exact; a float comes from a function such as sin, and stays one."""

MAX_LENGTH = 1000
MAX_BITS = 13_000
MAX_EXPONENT = 1000
_DIGITS = 28
_LITERAL = re.compile(r"(?P<mantissa>[0-9_]*\.?[0-9_]*)(?:[eE](?P<exponent>[+-]?[0-9_]+))?")


class ArithmeticFault(Exception):
    """The expression has no answer here; the text says why in words for the person who wrote it."""


def literal(text: str) -> Number:
    """The exact value of a number as it was written: 0.1 is one tenth. Raises ArithmeticFault."""
    match = _LITERAL.fullmatch(text)
    if match is None:
        raise ArithmeticFault(f"{text!r} is not a decimal number.")
    if match["exponent"] is not None and abs(int(match["exponent"])) > MAX_EXPONENT:
        raise ArithmeticFault(f"The exponent of {text} is beyond {MAX_EXPONENT}.")
    return bounded(Fraction(text.replace("_", "")))


def bounded(value: Number) -> Number:
    """The value in its simplest form; raises ArithmeticFault if it is too large to go on with, or no number at all."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ArithmeticFault("The result is too large for a function that works on floating-point numbers.")
        return value
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise too_large()
    return int(value) if value.denominator == 1 else value


def too_large() -> ArithmeticFault:
    return ArithmeticFault(f"The result is too large: it would have more than {int(MAX_BITS * math.log10(2))} digits.")


def written(value: Number) -> str:
    """How a result is shown: exactly if it ends, else rounded with its exact fraction beside it."""
    if isinstance(value, float):
        return _plain(Decimal(repr(value)))
    if isinstance(value, int):
        return str(value)
    if _ends(value.denominator):
        return _decimal(value, digits=MAX_BITS)
    exact = f"{value.numerator}/{value.denominator}"
    note = f"rounded; exactly {exact}" if len(exact) <= 60 else "rounded"
    return f"{_decimal(value, digits=_DIGITS)} ({note})"


def _ends(denominator: int) -> bool:
    """Whether a fraction with this denominator, in lowest terms, has finitely many decimals."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def _decimal(value: Fraction, digits: int) -> str:
    with localcontext() as context:
        context.prec = digits
        return _plain(Decimal(value.numerator) / Decimal(value.denominator))


def _plain(value: Decimal) -> str:
    """Without an exponent where that stays short."""
    if value == 0:
        return "0"
    text = f"{value:f}" if -20 <= value.adjusted() <= _DIGITS else str(value)
    return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text
