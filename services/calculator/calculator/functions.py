"""The calculator's functions: exact for exact numbers where there is an exact answer, floating point otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from .numbers import ArithmeticFault, Number, bounded

MAX_FACTORIAL = 1000
_MAX_PLACES = 100

CONSTANTS: dict[str, Number] = {"e": math.e, "pi": math.pi}


def _function(
    name: str, fewest: int, most: int | None, compute: Callable[..., Number]
) -> Callable[[list[Number]], Number]:
    """`compute` with the number of its arguments checked and the errors of `math` in words."""

    def checked(numbers: list[Number]) -> Number:
        if len(numbers) < fewest or (most is not None and len(numbers) > most):
            wanted = str(fewest) if most == fewest else f"{fewest} or more" if most is None else f"{fewest} to {most}"
            raise ArithmeticFault(f"{name} takes {wanted} number{'' if wanted == '1' else 's'}, not {len(numbers)}.")
        try:
            return compute(*numbers)
        except (ValueError, ZeroDivisionError):
            shown = ", ".join(str(number)[:40] for number in numbers)
            raise ArithmeticFault(f"{name}({shown}) is not defined.") from None

    return checked


def _whole(name: str, number: Number) -> int:
    if not isinstance(number, int):
        raise ArithmeticFault(f"{name} needs a whole number where it has {str(number)[:40]}.")
    return number


def _sqrt(number: Number) -> Number:
    """Exact for the squares of exact numbers, e.g. sqrt(0.25) = 0.5."""
    if not isinstance(number, float) and number >= 0:
        root = Fraction(math.isqrt(number.numerator), math.isqrt(number.denominator))
        if root * root == number:
            return root
    return math.sqrt(number)


def _factorial(number: Number) -> Number:
    whole = _whole("factorial", number)
    if whole > MAX_FACTORIAL:
        raise ArithmeticFault(f"factorial takes at most {MAX_FACTORIAL}.")
    return math.factorial(whole)


def _gcd(*numbers: Number) -> Number:
    return math.gcd(*(_whole("gcd", number) for number in numbers))


def _lcm(*numbers: Number) -> Number:
    """Bounded at each step: the least common multiple of many large numbers would be enormous."""
    result = 1
    for number in numbers:
        result = math.lcm(result, _whole("lcm", number))
        bounded(result)
    return result


def _round(number: Number, places: Number = 0) -> Number:
    whole = _whole("round", places)
    if abs(whole) > _MAX_PLACES:
        raise ArithmeticFault(f"round takes at most {_MAX_PLACES} places.")
    if whole == 0:
        return round(number)
    return round(number, whole) if isinstance(number, float) else round(Fraction(number), whole)


def _log(number: Number, base: Number | None = None) -> Number:
    return math.log(number) if base is None else math.log(number, base)


FUNCTIONS: dict[str, Callable[[list[Number]], Number]] = {
    name: _function(name, fewest, most, compute)
    for name, fewest, most, compute in (
        ("abs", 1, 1, abs),
        ("ceil", 1, 1, math.ceil),
        ("cos", 1, 1, math.cos),
        ("exp", 1, 1, math.exp),
        ("factorial", 1, 1, _factorial),
        ("floor", 1, 1, math.floor),
        ("gcd", 1, None, _gcd),
        ("lcm", 1, None, _lcm),
        ("log", 1, 2, _log),
        ("log10", 1, 1, math.log10),
        ("log2", 1, 1, math.log2),
        ("max", 1, None, lambda *numbers: max(numbers)),
        ("min", 1, None, lambda *numbers: min(numbers)),
        ("round", 1, 2, _round),
        ("sin", 1, 1, math.sin),
        ("sqrt", 1, 1, _sqrt),
        ("sum", 1, None, lambda *numbers: sum(numbers)),
        ("tan", 1, 1, math.tan),
    )
}
"""By name; each takes its numbers as a list and raises ArithmeticFault."""
