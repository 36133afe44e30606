"""Fills a tool's arguments from a clause, by rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .clauses import Clause
from .expressions import expressions
from .offers import Offer, Parameter, Role
from .programs import bare_program, is_program
from .topic import topic

_PYTHON = frozenset({"", "py", "py3", "python", "python3"})
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\d)")
_QUOTED = re.compile(r"[\"“]([^\"”]+)[\"”]")


@dataclass(frozen=True, slots=True)
class Filled:
    """Arguments for one call, and how much of the clause they explain, from 0 (any text would do) to 1 (all of it)."""

    args: dict[str, Any]
    explains: float


def fill(offer: Offer, clause: Clause) -> tuple[Filled, ...]:
    """One Filled for each call that the clause asks of this tool; none where a required argument is not in the clause."""
    required = [parameter for parameter in offer.parameters if parameter.required]
    leading = next((p for p in required if p.role in (Role.EXPRESSION, Role.CODE)), None)
    rest = _rest(offer, clause, leading)
    if rest is None:
        return ()
    if leading is None:
        return (Filled(rest, 0.0),)
    found = _arithmetic(clause) if leading.role is Role.EXPRESSION else _programs(clause)
    return tuple(Filled({leading.name: text} | rest, explains) for text, explains in found)


def _arithmetic(clause: Clause) -> Iterator[tuple[str, float]]:
    return ((found.expression, found.explains) for found in expressions(clause.text))


def _programs(clause: Clause) -> Iterator[tuple[str, float]]:
    """Code of the clause: in backticks, or what follows "run" where that is Python."""
    for code in clause.code:
        if code.language in _PYTHON and (code.fenced or is_program(code.text)):
            yield code.text, 1.0 if code.fenced else 0.8
    bare = None if clause.code else bare_program(clause.text)
    if bare is not None:
        yield bare, 1.0


def _rest(offer: Offer, clause: Clause, leading: Parameter | None) -> dict[str, Any] | None:
    """Every argument but the leading one; None where a required one cannot be filled."""
    texts, numbers = _texts(offer, clause), _NUMBER.findall(clause.words)
    filled: dict[str, Any] = {}
    for parameter in offer.parameters:
        value: Any = None
        if parameter is leading:
            continue
        if parameter.role is Role.CHOICE:
            value = next((c for c in parameter.choices if _mentions(clause.words, str(c))), None)
        elif parameter.required and parameter.role is Role.TEXT:
            value = texts.pop(0) if texts else None
        elif parameter.required and parameter.role is Role.NUMBER:
            value = _number(numbers.pop(0), parameter.whole) if numbers else None
        if value is not None:
            filled[parameter.name] = value
        elif parameter.required:
            return None
    return filled


def _texts(offer: Offer, clause: Clause) -> list[str]:
    """For a tool with one text the matter of the question; for one with several, what the user put in quotation marks."""
    wanted = sum(parameter.required and parameter.role is Role.TEXT for parameter in offer.parameters)
    return [topic(offer.name, clause.text)] if wanted == 1 else _QUOTED.findall(clause.text)


def _mentions(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _number(text: str, whole: bool) -> int | float | None:
    value = float(text)
    if whole:
        return int(value) if value.is_integer() else None
    return value
