"""Chooses tools: embeddings say which one a clause is about, and only one whose arguments can be filled is chosen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .arguments import Filled, fill
from .clauses import Clause, clauses
from .offers import Offer
from .words import matter

MAX_CALLS = 8

Similarity = Callable[[str, Sequence[str]], list[float]]
"""The cosine between a question and each of some descriptions, higher is nearer."""

EXPLAINS = 0.10
"""What arguments that explain a whole clause add to a similarity; those of good and bad choices differ by some 0.03."""

NAMED = 0.06
"""What it adds that the clause names the tool."""

ELSEWHERE = (
    "Greetings, thanks, goodbyes and small talk: how are you?",
    "Who are you, are you an AI, and what can you do?",
    "Writing poems, stories, songs, essays, letters and jokes.",
    "General knowledge: capitals, countries, history, science and famous people.",
    "The weather forecast, news, sports results, films and music.",
    "Translating a text into another language.",
    "Opinions, feelings, philosophy and the meaning of life.",
    "Cooking recipes, health, travel and advice about relationships.",
)
"""What no tool is asked for; a clause that is nearest to one of these gets none."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A call to be made."""

    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls for a question, in its order, and the clauses that no tool was found for."""

    calls: tuple[Chosen, ...]
    unmet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    offer: Offer
    filled: tuple[Filled, ...]
    score: float


def plan(question: str, offers: Sequence[Offer], similarity: Similarity, *, must: bool = False) -> Plan:
    """What to call for a question. With `must` every clause goes to the best tool that can be filled, however far it is."""
    calls: list[Chosen] = []
    unmet: list[str] = []
    for clause in clauses(question):
        chosen = _best(clause, offers, similarity, must)
        if chosen is None:
            unmet.append(clause.text)
            continue
        calls += [call for call in _calls(chosen) if call not in calls]
    return Plan(tuple(calls[:MAX_CALLS]), tuple(unmet))


def _calls(candidate: _Candidate) -> Iterator[Chosen]:
    return (Chosen(candidate.offer.name, filled.args) for filled in candidate.filled)


def _best(clause: Clause, offers: Sequence[Offer], similarity: Similarity, must: bool) -> _Candidate | None:
    candidates = [_candidate(clause, offer, filled, similarity) for offer in offers if (filled := fill(offer, clause))]
    best = max(candidates, key=lambda candidate: candidate.score, default=None)
    if best is None or must:
        return best
    elsewhere = _elsewhere(offers)
    return best if not elsewhere or best.score > max(similarity(clause.words, elsewhere)) else None


def _elsewhere(offers: Sequence[Offer]) -> list[str]:
    """ELSEWHERE without what one of these tools is for, going by the words of its name and its first sentence."""
    offered = {stem for offer in offers for facet in facets(offer)[:1] for stem in _stems(facet)}
    return [text for text in ELSEWHERE if not _stems(text) & offered]


def _stems(text: str) -> set[str]:
    return {word[:5] for word in matter(text.replace("_", " "))}


def _candidate(clause: Clause, offer: Offer, filled: tuple[Filled, ...], similarity: Similarity) -> _Candidate:
    near = max(similarity(clause.words, facets(offer)))
    explains = max(part.explains for part in filled)
    return _Candidate(offer, filled, near + EXPLAINS * explains + NAMED * _named(clause.words, offer.name))


def _named(words: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", words.replace("_", " "), re.IGNORECASE) is not None


def facets(offer: Offer) -> list[str]:
    """What a tool is for, sentence by sentence: a long description as one text is near to everything and to nothing."""
    sentences = [" ".join(part.split()) for part in re.split(r"(?<=[.:])\s+|\n+", offer.description)]
    return [f"{offer.name}: {sentence}" for sentence in sentences if sentence] or [offer.name]
