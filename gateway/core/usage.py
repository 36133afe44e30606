"""Tokens of models: what one call used, and the sums of all, in a table that cannot grow without end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of one call's prompt and answer; `estimated` where the model told no number."""

    input: int
    output: int
    estimated: bool = False

    @property
    def total(self) -> int:
        return self.input + self.output


@dataclass(slots=True)
class Sum:
    """Calls and their tokens; those of `estimated` calls are among them."""

    calls: int = 0
    input: int = 0
    output: int = 0
    estimated: int = 0

    def add(self, used: Used) -> None:
        self.calls += 1
        self.input += used.input
        self.output += used.output
        self.estimated += used.estimated


class UsageTable:
    """The sums of each model, and of each pair of a principal and a model.

    At most `limit` pairs: the one that was unused for longest goes, and `forgotten` counts it. The models' sums stay whole.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._models: dict[str, Sum] = {}
        self._pairs: OrderedDict[tuple[str, str], Sum] = OrderedDict()
        self.forgotten = 0

    @property
    def models(self) -> Mapping[str, Sum]:
        """By the model's name."""
        return self._models

    @property
    def pairs(self) -> Mapping[tuple[str, str], Sum]:
        """By principal and model, the one that was used last at the end."""
        return self._pairs

    def add(self, principal: str, model: str, used: Used) -> None:
        self._models.setdefault(model, Sum()).add(used)
        self._pair((principal, model)).add(used)

    def _pair(self, key: tuple[str, str]) -> Sum:
        found = self._pairs.get(key)
        if found is not None:
            self._pairs.move_to_end(key)
            return found
        if len(self._pairs) >= self._limit:
            self._pairs.popitem(last=False)
            self.forgotten += 1
        made = self._pairs[key] = Sum()
        return made
