"""What a question is about, for a tool that takes a question."""

from __future__ import annotations

import re

_ARTICLE = r"(?:the|our|your|my)"
_SAYS = r"(?:says?|states?|tells?(?: (?:me|us))?|has)\s+(?:about|on|regarding)"
_LOOK = r"\b(?:search|check|consult|ask|use|look\s+(?:up\s+)?in)"


def topic(tool: str, text: str) -> str:
    """The question without a mention of the tool: of "what does the handbook say about refunds?" only "refunds" is left."""
    name = re.escape(tool).replace("_", "[ _]").replace("\\-", "[ -]")
    tidy = text.strip().rstrip("?!. ")
    for pattern in (
        rf"\b{_ARTICLE}\s+{name}\s+{_SAYS}\s+(.+)$",
        rf"{_LOOK}\s+(?:{_ARTICLE}\s+)?{name}\s+(?:for|about|on)\s+(.+)$",
    ):
        found = re.search(pattern, tidy, re.IGNORECASE | re.DOTALL)
        if found:
            return found[1].strip()
    mention = rf",?\s*\b(?:according to|in|from|using|with)\s+(?:{_ARTICLE}\s+)?{name}\b,?\s*"
    return " ".join(re.sub(mention, " ", tidy, flags=re.IGNORECASE).split()) or tidy or text
