"""Which faults are meant by what was typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cli.gameday.fault import Fault

_RANGE = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")


class UnknownFault(Exception):
    """Nothing is called so; the text says what there is."""


def chosen(faults: Sequence[Fault], words: Iterable[str]) -> tuple[Fault, ...]:
    """Those that any word means, by number; all where there is none. Raises UnknownFault."""
    found: dict[int, Fault] = {}
    for word in (words := list(words)):
        meant = [fault for fault in faults if _means(word, fault)]
        if not meant:
            raise UnknownFault(f"no fault is {word!r}; `firebreak gameday --list` has their numbers and names")
        found |= {fault.number: fault for fault in meant}
    return tuple(found[number] for number in sorted(found)) if words else tuple(faults)


def _means(word: str, fault: Fault) -> bool:
    if match := _RANGE.fullmatch(word):
        first = int(match[1])
        return first <= fault.number <= int(match[2] or first)
    return word.casefold() in fault.name.casefold()
