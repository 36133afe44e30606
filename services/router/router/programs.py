"""Tells Python from prose."""

from __future__ import annotations

import ast
import re

_RUN = re.compile(
    r"^.*?\b(?:run|execute|eval|evaluate)\b(?:\s+(?:this|the|following|python|code|program|script|snippet))*\s*:?\s*",
    re.IGNORECASE,
)


def bare_program(text: str) -> str | None:
    """The code of "run print(1)", which is not marked as code; None where what follows is no program."""
    code = _RUN.sub("", text, count=1).strip()
    return code if code != text.strip() and is_program(code) else None


def is_program(text: str) -> bool:
    """Whether the text is Python that does something; a word or a few would parse as well, and are none."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(part, ast.Expr) or not isinstance(part.value, ast.Name | ast.Constant) for part in body)
