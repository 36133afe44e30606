"""The words of the router: what the tools answered, or that it can do nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .offers import Offer, Role

MAX_QUOTE = 1500
_NUMBER = re.compile(r"[-+]?\d")
INTRODUCTION = (
    "I am a router, not a language model: I choose a tool for each part of a question and quote what it answers. "
    "I cannot write, translate or know anything myself."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended; `text` is the tool's answer, or why there is none where it `failed`."""

    name: str
    args: dict[str, Any]
    text: str
    failed: bool


def answer(outcomes: Sequence[Outcome], unmet: Sequence[str]) -> str:
    """One paragraph a call in the order of the calls, then what was left open."""
    parts = [_failure(outcome) if outcome.failed else _success(outcome) for outcome in outcomes]
    parts += [f"No tool of mine fits “{_brief(clause)}”." for clause in unmet]
    return "\n\n".join(parts)


def nothing_fits(offers: Sequence[Offer]) -> str:
    """What the router says when it cannot call anything."""
    if not offers:
        return f"{INTRODUCTION} No tools were given to me here."
    tools = "\n".join(f"- {offer.name}: {_first_sentence(offer.description)}{_hint(offer)}" for offer in offers)
    return f"{INTRODUCTION} Nothing in your question fits one of my tools:\n{tools}"


def _hint(offer: Offer) -> str:
    """How to write what a rule has to find in the question."""
    roles = {parameter.role for parameter in offer.parameters if parameter.required}
    if Role.CODE in roles:
        return " Put the code between ``` marks."
    return " Write the expression out, such as 12 * 34." if Role.EXPRESSION in roles else ""


def _success(outcome: Outcome) -> str:
    text = outcome.text.strip()
    if not text:
        return f"{outcome.name} answered nothing."
    if "\n" in text or len(text) > 200:
        quote = "\n".join(f"> {line}".rstrip() for line in _quoted(text).splitlines())
        return f"{outcome.name}{_about(outcome)} says:\n{quote}"
    if _asked(outcome) and _NUMBER.match(text):
        return f"{_asked(outcome)} = {text}"
    return f"{outcome.name}{_about(outcome)} says: {text}"


def _failure(outcome: Outcome) -> str:
    return f"{outcome.name} could not answer{_about(outcome)}: {_brief(outcome.text) or 'it gave no reason.'}"


def _asked(outcome: Outcome) -> str:
    """The expression, where the call has one."""
    return str(outcome.args.get("expression", ""))


def _about(outcome: Outcome) -> str:
    """The one text among the arguments that says what was asked, where it is short."""
    texts = [value for value in outcome.args.values() if isinstance(value, str)]
    return f" on “{texts[0]}”" if len(texts) == 1 and len(texts[0]) <= 80 and "\n" not in texts[0] else ""


def _quoted(text: str) -> str:
    """At most MAX_QUOTE characters, cut at the end of a line where there is one."""
    if len(text) <= MAX_QUOTE:
        return text
    cut = text.rfind("\n", MAX_QUOTE // 2, MAX_QUOTE)
    return text[: cut if cut > 0 else MAX_QUOTE].rstrip() + "\n…"


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


def _first_sentence(description: str) -> str:
    return " ".join(description.split("\n\n")[0].split()) or "no description"
