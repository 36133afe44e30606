"""Which rows have a part, which have it no more, and which of these a row says were erased."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from gateway.adapters.journal.proof.findings import NONE, Cleared


def runs(states: array[int]) -> Iterator[tuple[int, int, int]]:
    """First row, last row and state."""
    for index in range(len(states) - 1):
        first, state = divmod(states[index], 4)
        if state != NONE and states[index + 1] // 4 > first:
            yield first, states[index + 1] // 4 - 1, state


def spans(cleared: Iterable[Cleared]) -> dict[tuple[str, str], Sequence[tuple[int, int]]]:
    """By writer and part, in order, those that overlap or touch as one."""
    by_part: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for writer, first, last, person, content in cleared:
        for part, wanted in (("person", person), ("content", content)):
            if wanted:
                by_part.setdefault((writer, part), []).append((first, last))
    return {key: _merged(sorted(spans)) for key, spans in by_part.items()}


def _merged(ordered: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in ordered:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def first_outside(spans: Sequence[tuple[int, int]], first: int, last: int) -> int:
    """The first of the rows that is in no span, 0 for none."""
    index = bisect_right(spans, (first, 2**63)) - 1
    if index < 0 or spans[index][1] < first:
        return first
    return spans[index][1] + 1 if spans[index][1] < last else 0


def first_inside(spans: Sequence[tuple[int, int]], first: int, last: int) -> int:
    """The first of the rows that is in a span, 0 for none."""
    index = bisect_right(spans, (first, 2**63)) - 1
    if index >= 0 and spans[index][1] >= first:
        return first
    return spans[index + 1][0] if index + 1 < len(spans) and spans[index + 1][0] <= last else 0
