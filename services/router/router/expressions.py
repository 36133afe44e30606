"""Finds arithmetic in words and signs."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from .spoken import written
from .words import matter

_FUNCTIONS = "abs|ceil|cos|exp|factorial|floor|gcd|lcm|log10|log2|log|max|min|round|sin|sqrt|sum|tan"
_TOKEN = re.compile(
    rf"\s*(?P<token>(?<![\w.])(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)(?![\w])|(?<!\w)(?:{_FUNCTIONS})(?=\s*\()"
    r"|(?<!\w)(?:pi|e)(?!\w)|\*\*|//|[-+*/%(),])"
)
_MAX_TOKENS = 300


@dataclass(frozen=True, slots=True)
class Found:
    """An expression and how much of the clause it explains: 1 where nothing else is said, less with each further word."""

    expression: str
    explains: float


def expressions(clause: str) -> tuple[Found, ...]:
    """The expressions in a clause, in order."""
    text = written(clause)
    spans = [span for run in _runs(text) if (span := _trimmed(text, run))]
    rest = text
    for start, end in reversed(spans):
        rest = rest[:start] + " " + rest[end:]
    explains = 1 / (1 + len(matter(rest)))
    return tuple(Found(" ".join(text[start:end].split()), explains) for start, end in spans)


def _runs(text: str) -> list[list[tuple[int, int]]]:
    """Places of arithmetic tokens that follow each other with nothing but blanks between them."""
    runs: list[list[tuple[int, int]]] = []
    end = -1
    for found in _TOKEN.finditer(text):
        if found.start() != end or not runs:
            runs.append([])
        runs[-1].append(found.span("token"))
        end = found.end()
    return runs


def _trimmed(text: str, run: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The longest part of a run that is an expression with an operator or a function in it."""
    run = run[:_MAX_TOKENS]
    for dropped in range(min(len(run), 6)):
        for first in range(dropped + 1):
            last = len(run) - 1 - (dropped - first)
            if first <= last and _is_expression(text[run[first][0] : run[last][1]]):
                return run[first][0], run[last][1]
    return None


def _is_expression(text: str) -> bool:
    try:
        body = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    while isinstance(body, ast.UnaryOp):
        body = body.operand
    return isinstance(body, ast.BinOp | ast.Call)
