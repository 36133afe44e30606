"""The tool that a model sees."""

from __future__ import annotations

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from .arithmetic import evaluate
from .numbers import MAX_LENGTH, ArithmeticFault, written


class CalculatorArguments(BaseModel):
    """What the calculator takes."""

    expression: str = Field(
        description="The arithmetic expression to work out, e.g. (12.5 + 7) * 3 ** 2 / 4",
        min_length=1,
        max_length=MAX_LENGTH,
    )


@tool("calculator", args_schema=CalculatorArguments)
def calculator(expression: str) -> str:
    """Work out an arithmetic expression exactly: add, subtract, multiply, divide, powers, square roots, remainders.

    Operators: + - * / // % (remainder) ** (power) and parentheses. Functions: abs, ceil, cos, exp, factorial, floor,
    gcd, lcm, log, log10, log2, max, min, round, sin, sqrt, sum, tan. Constants: pi, e.
    """
    try:
        return written(evaluate(expression))
    except ArithmeticFault as fault:
        raise ToolException(str(fault)) from None
