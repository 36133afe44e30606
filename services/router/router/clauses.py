"""Cuts what a user wrote into clauses, each of which asks for one thing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .programs import bare_program
from .words import matter

_CODE = re.compile(r"```(?P<language>[\w+-]*)[ \t]*\n(?P<fenced>.*?)(?:```|\Z)|`(?P<inline>[^`\n]+)`", re.DOTALL)
_MARK = re.compile(r"\0(\d+)\0")
_ASKS = (
    r"(?:what(?:'s)?|how|when|where|who|which|why|can|could|do|does|did|is|are|will|would|should|tell|please|calculate|compute"
    r"|work\s+out|evaluate|run|execute|search|look|find|show|give|explain|say|write|check|then|also)\b"
)
_ENDS = re.compile(
    rf"(?<=[?!])\s+|(?<=[^\W\d]\.)\s+(?=\S)|(?<=\d\.)\s+(?=[A-Z])|(?<=\0\.)\s+|\n+|;\s+"
    rf"|,?\s+(?:and(?:\s+(?:then|also))?|then|plus|also)\s+(?={_ASKS})|,\s+(?={_ASKS})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Code:
    """Code that the user wrote: `language` is that of its fence, "" where none is named."""

    text: str
    language: str
    fenced: bool


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that the user asks for. `text` is as it was written; `words` has "code" where `code` stood."""

    text: str
    words: str
    code: tuple[Code, ...] = ()


def clauses(question: str) -> tuple[Clause, ...]:
    """The clauses of a question in order; code in backticks stays whole, and a piece that says nothing joins its neighbour."""
    if bare_program(question) is not None:
        return (Clause(question.strip(), question.strip()),)
    code: list[Code] = []

    def mark(found: re.Match[str]) -> str:
        text = found["inline"] if found["fenced"] is None else found["fenced"]
        code.append(Code(text.strip("\n"), (found["language"] or "").lower(), found["fenced"] is not None))
        return f"\0{len(code) - 1}\0"

    marked = _CODE.sub(mark, question.replace("\0", " "))
    marked = re.sub(r"(?<=[:\w])[ \t]*\n+[ \t]*(?=\0)", " ", marked)
    return tuple(_clause(piece, code) for piece in _joined(marked))


def _joined(text: str) -> list[str]:
    """The pieces between the ends of clauses, as they were written."""
    joined: list[str] = []
    start = end = 0
    for cut, after in [*(found.span() for found in _ENDS.finditer(text)), (len(text), len(text))]:
        piece = text[end:cut]
        if joined and (not matter(piece) or not matter(joined[-1])):
            joined[-1] = text[start:cut]
        elif piece.strip():
            joined.append(piece)
            start = end
        end = after
    return [piece.strip() for piece in joined]


def _clause(piece: str, code: list[Code]) -> Clause:
    inside = tuple(code[int(place)] for place in _MARK.findall(piece))
    text = _MARK.sub(lambda found: code[int(found[1])].text, piece)
    return Clause(text, _MARK.sub("code", piece), inside)
