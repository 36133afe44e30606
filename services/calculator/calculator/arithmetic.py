"""Works out an expression by walking its syntax tree: only what is listed here can happen."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from fractions import Fraction

from .functions import CONSTANTS, FUNCTIONS
from .numbers import MAX_BITS, MAX_LENGTH, ArithmeticFault, Number, bounded, literal, too_large

MAX_DEPTH = 500
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**"})


def evaluate(expression: str) -> Number:
    """The value of the expression; raises ArithmeticFault, which says what is wrong."""
    if len(expression) > MAX_LENGTH:
        raise ArithmeticFault(f"The expression has {len(expression)} characters; at most {MAX_LENGTH} are worked out.")
    text = expression.translate(_SIGNS).strip()
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ArithmeticFault(f"{_short(expression)} is not an arithmetic expression.") from None
    try:
        return _Walk(text).value(tree.body, 0)
    except ZeroDivisionError:
        raise ArithmeticFault("Division by zero.") from None
    except OverflowError:
        raise ArithmeticFault("A number is too large for a function that works on floating-point numbers.") from None


def _short(expression: str) -> str:
    return repr(expression if len(expression) <= 80 else expression[:77] + "...")


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, float) or isinstance(right, float):
        return float(left) / float(right)
    return Fraction(left) / Fraction(right)


def _power(base: Number, exponent: Number) -> Number:
    """base ** exponent; its size is known before it is worked out, so that a huge one costs nothing."""
    if isinstance(base, float) or not isinstance(exponent, int):
        result: float | complex = float(base) ** float(exponent)
        if isinstance(result, complex):
            raise ArithmeticFault("A negative number to a fractional power is not a real number.")
        return result
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(base) != 1 and base != 0 and (bits - 1) * abs(exponent) > MAX_BITS:
        raise too_large()
    return Fraction(base) ** exponent


_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {
    ast.UAdd: lambda number: number,
    ast.USub: lambda number: -number,
}


class _Walk:
    """One walk over a tree; `text` is what the tree was made from, for numbers as they were written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, node: ast.expr, depth: int) -> Number:
        if depth > MAX_DEPTH:
            raise ArithmeticFault(f"The expression is nested more than {MAX_DEPTH} deep.")
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.Name():
                return _constant(node.id)
            case ast.UnaryOp() if type(node.op) in _UNARY:
                return _UNARY[type(node.op)](self.value(node.operand, depth + 1))
            case ast.BinOp() if type(node.op) in _BINARY:
                left, right = self.value(node.left, depth + 1), self.value(node.right, depth + 1)
                return bounded(_BINARY[type(node.op)](left, right))
            case ast.Call():
                return self._call(node, depth)
            case ast.Tuple():
                raise ArithmeticFault("Commas only separate a function's numbers: write 1234567, not 1,234,567.")
            case _:
                raise ArithmeticFault(f"{self._shown(node)} is not arithmetic.")

    def _shown(self, node: ast.expr) -> str:
        return _short(ast.get_source_segment(self._text, node) or "This")

    def _number(self, node: ast.Constant) -> Number:
        if type(node.value) is int:
            return bounded(node.value)
        if type(node.value) is float:
            return literal(ast.get_source_segment(self._text, node) or str(node.value))
        raise ArithmeticFault(f"{self._shown(node)} is not a real number.")

    def _call(self, node: ast.Call, depth: int) -> Number:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = FUNCTIONS.get(name)
        if function is None:
            raise ArithmeticFault(
                f"{self._shown(node.func)} is not a function here. There are: {', '.join(FUNCTIONS)}."
            )
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise ArithmeticFault(f"{name} takes numbers, separated by commas.")
        return bounded(function([self.value(argument, depth + 1) for argument in node.args]))


def _constant(name: str) -> Number:
    if name not in CONSTANTS:
        raise ArithmeticFault(f"{_short(name)} is not a number. Constants are: {', '.join(CONSTANTS)}.")
    return CONSTANTS[name]
